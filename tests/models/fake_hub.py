"""A small Hugging Face Hub on this machine: one model, its file list, its files, and a note of what was asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONVERSION = "89abcdef0123456789abcdef0123456789abcdef"
PULL_REQUEST = {
    "num": 3, "title": "Adding `safetensors` variant of this model", "author": {"name": "SFconvertbot"},
    "status": "open", "isPullRequest": True, "createdAt": "2024-01-01T00:00:00.000Z",
    "repo": {"name": "someone/model", "type": "model"},
}  # fmt: skip


def described(name: str, data: bytes) -> dict[str, object]:
    """A file as the Hub describes it; weights lie in its large storage."""
    about: dict[str, object] = {"type": "file", "path": name, "size": len(data), "oid": "0"}
    if name.endswith(".bin"):
        about["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 100}
    return about


@contextmanager
def fake_hub(
    model_id: str, files: dict[str, bytes], *, gated: bool = False, converted: dict[str, bytes] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Serve `files` as the model `model_id`; yields the address and the list of paths that were asked for.

    converted: the files of an open pull request in which the Hub's bot offers safetensors.
    """
    asked: list[str] = []
    request = "refs%2Fpr%2F3"
    states = {"main": (COMMIT, files)} | ({request: (CONVERSION, converted)} if converted else {})

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0]
            asked.append(path)
            api = path.removeprefix(f"/api/models/{model_id}/")
            for revision, (commit, there) in states.items():
                name = path.removeprefix(f"/{model_id}/resolve/{commit}/")
                if api == f"revision/{revision}":
                    siblings = [{"rfilename": file} for file in there]
                    self.say({"id": model_id, "sha": commit, "siblings": siblings}, body)
                    return
                if api.startswith(f"tree/{commit}"):
                    self.say([described(file, data) for file, data in there.items()], body)
                    return
                if name in there and not gated:
                    etag = hashlib.sha256(there[name]).hexdigest()
                    self.reply(200, there[name], body, {"ETag": f'"{etag}"', "X-Repo-Commit": commit})
                    return
            if api == "discussions":
                self.say(
                    {"discussions": [PULL_REQUEST] if converted else [], "count": bool(converted), "start": 0}, body
                )
            elif gated:
                self.reply(403, b"", body, {"X-Error-Code": "GatedRepo"})
            else:
                self.reply(404, b"", body, {"X-Error-Code": "RepoNotFound"})

        def do_POST(self) -> None:
            """The hashes of the pickled weights at a revision."""
            asked.append(self.path)
            _, there = states[self.path.rsplit("/", 1)[1]]
            self.rfile.read(int(self.headers["Content-Length"]))
            self.say([described(file, data) for file, data in there.items() if file.endswith(".bin")], True)

        def say(self, value: object, body: bool) -> None:
            self.reply(200, json.dumps(value).encode(), body)

        def reply(self, code: int, data: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their names relative to it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
