"""A small Hugging Face Hub on this machine for data sets: made, pushed to, listed and read by byte ranges."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = r"(?P<repo>[^/]+/[^/]+)"


@dataclass
class Repo:
    files: dict[str, bytes] = field(default_factory=dict)
    private: bool = False
    gated: bool = False


@dataclass
class Hub:
    """What the Hub holds, and what it was asked. `writable`: whose names the token may write to."""

    repos: dict[str, Repo] = field(default_factory=dict)
    writable: str = "maria"
    token: str = "hf_right"
    stored: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    address: str = ""


@contextmanager
def dataset_hub() -> Iterator[Hub]:
    """Run the Hub; yields its state."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.route("GET", b"")

        def do_GET(self) -> None:
            self.route("GET", b"")

        def do_POST(self) -> None:
            self.route("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def do_PUT(self) -> None:
            self.route("PUT", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def route(self, method: str, body: bytes) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"{method} {path}")
            for wanted, pattern, answer in ROUTES:
                found = re.fullmatch(pattern, path)
                if found and wanted == method:
                    answer(self, body, **found.groupdict())
                    return
            self.reply(404, {"error": f"no such route: {method} {path}"}, {"X-Error-Code": "EntryNotFound"})

        def reply(self, code: int, value: object, headers: dict[str, str] | None = None) -> None:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            if not isinstance(value, bytes):
                self.send_header("Content-Type", "application/json")
            for key, text in (headers or {}).items():
                self.send_header(key, text)
            self.end_headers()
            if self.command != "HEAD":
                hub.sent_bytes += len(data)
                self.wfile.write(data)

        def repo(self, name: str) -> Repo | None:
            """The repository, or None after an answer that it is not there, or not for this token."""
            repo = hub.repos.get(name)
            if repo is None or (repo.private and self.bearer() != hub.token):
                self.reply(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return None
            return repo

        def bearer(self) -> str:
            return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

        def may_write(self, name: str) -> bool:
            if self.bearer() != hub.token:
                self.reply(401, {"error": "Invalid username or password."})
                return False
            if name.split("/")[0] != hub.writable:
                self.reply(403, {"error": "You don't have the rights to write here"})
                return False
            return True

        def info(self, _: bytes, repo: str, revision: str = "main") -> None:
            if found := self.repo(repo):
                siblings = [{"rfilename": name} for name in found.files]
                gated = "manual" if found.gated else False
                about = {"id": repo, "sha": COMMIT, "siblings": siblings, "private": found.private, "gated": gated}
                self.reply(200, about | {"tags": [], "downloads": 0, "likes": 0})

        def tree(self, _: bytes, repo: str, folder: str | None = None, **__: str) -> None:
            if found := self.repo(repo):
                inside = f"{folder}/" if folder else ""
                deep = "true" in parse_qs(urlsplit(self.path).query.lower()).get("recursive", [])
                listed: dict[str, dict[str, object]] = {}
                for name in found.files:
                    rest = name.removeprefix(inside)
                    if not name.startswith(inside):
                        continue
                    parts = rest.split("/")
                    for depth in range(1, len(parts) if deep else min(2, len(parts))):
                        path = inside + "/".join(parts[:depth])
                        listed[path] = {"type": "directory", "path": path, "oid": "0", "size": 0}
                    if deep or len(parts) == 1:
                        listed[name] = entry(name, found.files[name])
                if listed or not folder:
                    self.reply(200, list(listed.values()))
                else:
                    self.reply(404, {"error": "not there"}, {"X-Error-Code": "EntryNotFound"})

        def paths_info(self, body: bytes, repo: str, **_: str) -> None:
            if found := self.repo(repo):
                asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
                listed = [entry(name, found.files[name]) for name in asked if name in found.files]
                for name in asked:
                    if name not in found.files and any(file.startswith(f"{name}/") for file in found.files):
                        listed.append({"type": "directory", "path": name, "oid": "0", "size": 0})
                self.reply(200, listed)

        def resolve(self, _: bytes, repo: str, name: str, **__: str) -> None:
            found = self.repo(repo)
            if found is None:
                return
            if found.gated and self.bearer() != hub.token:
                self.reply(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
            elif name not in found.files:
                self.reply(404, {"error": "not there"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            else:
                data = found.files[name]
                etag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
                span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
                if span:
                    first, last = int(span[1]), min(int(span[2] or len(data)), len(data) - 1)
                    etag["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
                    self.reply(206, data[first : last + 1], etag)
                else:
                    self.reply(200, data, etag | {"Accept-Ranges": "bytes"})

        def create(self, body: bytes) -> None:
            wanted = json.loads(body)
            name = f"{wanted.get('organization') or hub.writable}/{wanted['name']}"
            if self.may_write(name):
                hub.repos[name] = Repo({".gitattributes": b""}, private=wanted.get("visibility") == "private")
                self.reply(200, {"url": f"{hub.address}/datasets/{name}"})

        def validate(self, _: bytes) -> None:
            self.reply(200, {"errors": [], "warnings": []})

        def preupload(self, body: bytes, repo: str, **_: str) -> None:
            if self.may_write(repo):
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(".parquet") else "regular",
                        "shouldIgnore": False,
                    }
                    for file in json.loads(body)["files"]
                ]
                self.reply(200, {"files": files})

        def batch(self, body: bytes, repo: str) -> None:
            objects = [
                {
                    "oid": wanted["oid"],
                    "size": wanted["size"],
                    "actions": {"upload": {"href": f"{hub.address}/lfs/{wanted['oid']}", "header": {}}},
                }
                for wanted in json.loads(body)["objects"]
            ]
            self.reply(200, {"transfer": "basic", "objects": objects})

        def store(self, body: bytes, oid: str) -> None:
            assert hashlib.sha256(body).hexdigest() == oid
            hub.stored[oid] = body
            self.reply(200, {})

        def commit(self, body: bytes, repo: str, **_: str) -> None:
            if not self.may_write(repo):
                return
            files = hub.repos[repo].files
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.stored[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            self.reply(200, {"commitUrl": f"{hub.address}/datasets/{repo}/commit/{COMMIT}", "commitOid": COMMIT})

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ROUTES: list[tuple[str, str, Callable[..., None]]] = [
        ("GET", rf"/api/datasets/{REPO}", Handler.info),
        ("GET", rf"/api/datasets/{REPO}/revision/(?P<revision>[^/]+)", Handler.info),
        ("GET", rf"/api/datasets/{REPO}/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", Handler.tree),
        ("POST", rf"/api/datasets/{REPO}/paths-info/(?P<revision>[^/]+)", Handler.paths_info),
        ("GET", rf"/datasets/{REPO}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", Handler.resolve),
        ("POST", r"/api/repos/create", Handler.create),
        ("POST", r"/api/validate-yaml", Handler.validate),
        ("POST", rf"/api/datasets/{REPO}/preupload/(?P<revision>[^/]+)", Handler.preupload),
        ("POST", rf"/datasets/{REPO}\.git/info/lfs/objects/batch", Handler.batch),
        ("PUT", r"/lfs/(?P<oid>\w+)", Handler.store),
        ("POST", rf"/api/datasets/{REPO}/commit/(?P<revision>[^/]+)", Handler.commit),
    ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def entry(name: str, data: bytes) -> dict[str, object]:
    """A file as the Hub lists it."""
    return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
