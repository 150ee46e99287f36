"""Exports of collections, under addresses that only a page of this process can make, streamed from the disk.

Gradio's own download would copy a file of gigabytes into its cache first.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from workbench.ui.security import Signer
from workbench.workspace import Workspace

PREFIX = "/exports"


class Downloads:
    """Makes the addresses and answers them."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.exports
        self._signer = Signer()

    def here(self, path: Path) -> Path:
        """An export's path in this workspace, wherever the workspace lay when the path was written down."""
        return path if path.is_relative_to(self._root) else self._root / path.name

    def url(self, file: Path) -> str:
        """The address of one file below the workspace's exports. Raises ValueError for any other."""
        path = quote(file.resolve().relative_to(self._root.resolve()).as_posix())
        return self._signer.address(PREFIX, path)

    def route(self) -> Route:
        return Route(PREFIX + "/{path:path}", self.answer, methods=["GET", "HEAD"])

    async def answer(self, request: Request) -> Response:
        """The file of a signed address; 403 without a right signature, 404 where there is none."""
        if not self._signer.signed(request, quote(request.path_params["path"])):
            return PlainTextResponse("This address is not signed by this page. Reload the page.", 403)
        file = self._root / request.path_params["path"]
        if not file.is_file():
            return PlainTextResponse("This export is no longer there. Write it again.", 404)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return FileResponse(file, filename=file.name, media_type="application/octet-stream", headers=headers)
