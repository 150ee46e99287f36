"""Pages of PDFs as pictures, one at a time, each with its text layer.

A cell or file name may say which page: "report.pdf#page=3", as web addresses do.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from PIL import Image

MAX_PAGE_PIXELS = 2048  # the longest side; no model here takes larger pictures
PAGE_DPI = 150
MAX_PAGES = 20_000
TEXT_LAYER_CHARACTERS = 10_000
POINTS_PER_INCH = 72
THUMBNAIL_PIXELS = 320
_PAGE = re.compile(r"#page=(\d{1,6})$", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """A page: its picture (JPEG), a thumbnail (WebP), its text layer ("" if it has none) and its number, from 1."""

    number: int
    image: bytes
    thumbnail: bytes
    text: str


def is_pdf(data: bytes) -> bool:
    """Whether a file is a PDF, told from its first 1,024 bytes: some begin with a few bytes of something else."""
    return b"%PDF-" in data[:1024]


def names_pdf(name: str) -> bool:
    """Whether a file name ends in .pdf, with or without the number of a page behind it."""
    return split_page(name)[0].lower().endswith(".pdf")


def split_page(name: str) -> tuple[str, int | None]:
    """A name without its "#page=3", and the number; None where it names no page."""
    found = _PAGE.search(name.strip())
    return (name.strip()[: found.start()], int(found[1])) if found else (name, None)


class Pdf:
    """An opened PDF. Use it as a context manager: what it holds lies outside Python's memory.

    Errors are WorkbenchErrors whose sentence begins with “the PDF”, without its name.
    """

    def __init__(self, file: bytes | BinaryIO, dpi: int = PAGE_DPI) -> None:
        import pypdfium2

        self._dpi = dpi
        try:
            # Left to its caller to close: `file` may be read again.
            self._document: Any = pypdfium2.PdfDocument(file)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise WorkbenchError("the PDF is protected with a password. Save it again without one.") from error
            raise WorkbenchError("the PDF is damaged, or only part of it is there. Save or copy it again.") from error
        try:
            self.pages = len(self._document)
            if not self.pages:
                raise WorkbenchError("the PDF holds no pages.")
            if self.pages > MAX_PAGES:
                raise WorkbenchError(f"the PDF has {self.pages:,} pages; the limit is {MAX_PAGES:,}. Cut it up.")
            self._document.init_forms()  # so that what was typed into a form is drawn too
            self.title = str(self._document.get_metadata_dict().get("Title") or "").strip()[:500]
        except BaseException:
            self._document.close()
            raise

    def __enter__(self) -> Pdf:
        return self

    def __exit__(self, *raised: object) -> None:
        self._document.close()

    def picture(self, number: int) -> Image.Image:
        """Page `number`, from 1, as RGB. Raises WorkbenchError if there is no such page or it cannot be drawn."""
        with self._page(number) as page:
            return self._drawn(page)

    def page(self, number: int) -> Page:
        """Page `number`, from 1, drawn once, with its text. Raises WorkbenchError as `picture` does."""
        with self._page(number) as page:
            picture = self._drawn(page)
            text = _text_layer(page)
        return Page(number, as_jpeg(picture), _thumbnail(picture), text)

    @contextmanager
    def _page(self, number: int) -> Iterator[Any]:
        import pypdfium2

        if not 1 <= number <= self.pages:
            have = "1 page" if self.pages == 1 else f"{self.pages:,} pages"
            raise WorkbenchError(f"the PDF has {have}, and page {number:,} was asked for. Give another number.")
        try:
            page = self._document[number - 1]
            try:
                yield page
            finally:
                page.close()
        except (pypdfium2.PdfiumError, ValueError, RuntimeError, MemoryError) as error:
            raise WorkbenchError(f"page {number:,} of the PDF is damaged and cannot be drawn.") from error

    def _drawn(self, page: Any) -> Image.Image:
        longest = max(1.0, *page.get_size())
        scale = min(self._dpi / POINTS_PER_INCH, MAX_PAGE_PIXELS / longest)
        bitmap = page.render(scale=scale)
        try:
            # Copied, since the picture lives in the bitmap's memory.
            picture: Image.Image = bitmap.to_pil().convert("RGB").copy()
        finally:
            bitmap.close()
        return picture


def page_picture(data: bytes, number: int = 1, dpi: int = PAGE_DPI) -> bytes:
    """One page of a PDF as a JPEG. Raises WorkbenchError as `Pdf` does."""
    with Pdf(data, dpi) as pdf:
        return as_jpeg(pdf.picture(number))


def as_jpeg(picture: Image.Image) -> bytes:
    """A page as JPEG: a third of the time of PNG, and with full colour resolution its letters stay sharp."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()


def _thumbnail(picture: Image.Image) -> bytes:
    """As `media.thumbnail` makes it, without decoding the page again."""
    small = picture.copy()
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=80, method=1)
    return file.getvalue()


def _text_layer(page: Any) -> str:
    """The words of a page, at most TEXT_LAYER_CHARACTERS; "" where it has none or they cannot be read."""
    import pypdfium2

    try:
        layer = page.get_textpage()
    except pypdfium2.PdfiumError:
        return ""  # the picture is the document; a page without a text layer is none the worse
    try:
        text = str(layer.get_text_bounded())
    except pypdfium2.PdfiumError:
        return ""
    finally:
        layer.close()
    plain = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\0", "").strip()
    return plain[:TEXT_LAYER_CHARACTERS]
