"""Pictures, sounds and videos of collections, under addresses that only a page of this process can make.

Each address is signed, so that what is not shown cannot be fetched, and what a login protects stays protected although
this route lies beside Gradio's own.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workbench import media
from workbench.collection.store import MODALITIES, SIDES, Collection, open_collection
from workbench.errors import WorkbenchError
from workbench.ui.security import Signer
from workbench.workspace import Workspace

KINDS = ("thumb", "image", "audio", "video")
PREFIX = "/media"
KEPT_VERSIONS = 32


class MediaRoute:
    """Makes the addresses and answers them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._signer = Signer()
        self._open = lru_cache(maxsize=KEPT_VERSIONS)(self._open_version)

    def url(self, collection: str, fingerprint: str, side: str, row: int, kind: str) -> str:
        """The address of one medium of one item. `kind`: thumb, image, audio or video."""
        path = f"{quote(collection)}/{side}/{int(row)}/{kind}/{quote(fingerprint or '-')}"
        return self._signer.address(PREFIX, path)

    def route(self) -> Route:
        return Route(PREFIX + "/{path:path}", self.answer, methods=["GET", "HEAD"])

    async def answer(self, request: Request) -> Response:
        """The bytes of a signed address; 403 without a right signature, 404 where there is nothing."""
        path = request.path_params["path"]
        if not self._signer.signed(request, path):
            return _plain(403, "This address is not signed by this page. Reload the page.")
        try:
            found = await run_in_threadpool(self._read, path)
        except (WorkbenchError, ValueError, IndexError, OSError):
            found = None
        if found is None:
            return _plain(404, "There is nothing at this address.")
        data, content_type = found
        return _with_range(data, content_type, request.headers.get("range", ""))

    def _read(self, path: str) -> tuple[bytes, str] | None:
        collection_name, side, row, kind, fingerprint = path.split("/")
        if side not in SIDES or kind not in KINDS:
            return None
        collection = self._open(collection_name, fingerprint)
        item = collection.item(side, int(row))
        if kind == "thumb":
            return None if item.thumbnail is None else (item.thumbnail, "image/webp")
        data = getattr(item, kind)
        sniffed = media.sniff(data) if data else None
        # Only what the bytes themselves show to be a picture, a sound or a video is sent: never HTML or SVG.
        if data is None or sniffed is None or sniffed[0] not in MODALITIES or sniffed[0] == "text":
            return None
        return data, media.content_type(sniffed[1])

    def _open_version(self, name: str, fingerprint: str) -> Collection:
        """The collection as it was when the page was drawn: judging changes it under the page many times an hour."""
        collection = open_collection(self._workspace, name, fingerprint.removeprefix("-"))
        for side in SIDES:
            collection.side(side)  # mapped now, so that it can be read after this version is gone
        return collection


def _plain(status: int, sentence: str) -> Response:
    return Response(sentence, status, media_type="text/plain", headers={"Cache-Control": "no-store"})


def _with_range(data: bytes, content_type: str, asked: str) -> Response:
    """The whole, or the one range that a player asks for when it seeks."""
    headers = {
        "Cache-Control": "private, max-age=86400, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": "inline",
        "Accept-Ranges": "bytes",
    }
    span = _parse_range(asked, len(data))
    if span is None:
        return Response(data, 200, media_type=content_type, headers=headers)
    start, end = span
    if start >= end:
        return Response(b"", 416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return Response(data[start:end], 206, media_type=content_type, headers=headers)


def _parse_range(asked: str, length: int) -> tuple[int, int] | None:
    """`bytes=2-5` → (2, 6), `bytes=-3` → the last three; None for the whole; start ≥ end if it is outside."""
    unit, _, span = asked.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or "," in span:
        return None
    try:
        if not first.strip():
            return max(0, length - int(last)), length
        start = int(first)
        end = min(int(last) + 1, length) if last.strip() else length
    except ValueError:
        return None
    return start, end
