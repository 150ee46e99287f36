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


@contextmanager
def fake_hub(model_id: str, files: dict[str, bytes], *, gated: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Serve `files` as the model `model_id`; yields the address and the list of paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.split("?")[0]
            asked.append(path)
            name = path.removeprefix(f"/{model_id}/resolve/{COMMIT}/")
            if path == f"/api/models/{model_id}/revision/main":
                siblings = [{"rfilename": file} for file in files]
                self.reply(200, json.dumps({"id": model_id, "sha": COMMIT, "siblings": siblings}).encode(), body)
            elif path.startswith(f"/api/models/{model_id}/tree/{COMMIT}"):
                tree = [{"type": "file", "path": file, "size": len(data), "oid": "0"} for file, data in files.items()]
                self.reply(200, json.dumps(tree).encode(), body)
            elif gated:
                self.reply(403, b"", body, {"X-Error-Code": "GatedRepo"})
            elif name in files:
                etag = hashlib.sha256(files[name]).hexdigest()
                self.reply(200, files[name], body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
            else:
                self.reply(404, b"", body, {"X-Error-Code": "RepoNotFound"})

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
