"""Exports of collections, under addresses that only a page of this process can make, streamed from the disk.

Gradio's own download would copy a file of gigabytes into its cache first.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from workbench.workspace import Workspace

PREFIX = "/exports"


class Downloads:
    """Makes the addresses and answers them."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.exports
        self._key = secrets.token_bytes(32)

    def url(self, file: Path) -> str:
        """The address of one file below the workspace's exports. Raises ValueError for any other."""
        path = quote(file.resolve().relative_to(self._root.resolve()).as_posix())
        return f"{PREFIX}/{path}?sig={self._sign(path)}"

    def route(self) -> Route:
        return Route(PREFIX + "/{path:path}", self.answer, methods=["GET", "HEAD"])

    async def answer(self, request: Request) -> Response:
        """The file of a signed address; 403 without a right signature, 404 where there is none."""
        path = quote(request.path_params["path"])
        if not hmac.compare_digest(self._sign(path).encode(), request.query_params.get("sig", "").encode()):
            return PlainTextResponse("This address is not signed by this page. Reload the page.", 403)
        file = self._root / request.path_params["path"]
        if not file.is_file():
            return PlainTextResponse("This export is no longer there. Write it again.", 404)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return FileResponse(file, filename=file.name, media_type="application/octet-stream", headers=headers)

    def _sign(self, path: str) -> str:
        return hmac.new(self._key, path.encode(), hashlib.sha256).hexdigest()[:40]
