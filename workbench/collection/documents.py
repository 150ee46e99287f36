"""Files without a table: every picture, sound, video, text and page of a PDF is a document, with no queries yet."""

from __future__ import annotations

import io
import itertools
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.collection.archive import Files, FolderFiles, ZipFiles, is_storable, storable
from workbench.collection.encodings import detect_encoding
from workbench.collection.filling import Filled, Progress, Skipped, Target
from workbench.collection.items import Known, checked_item
from workbench.collection.options import ImportOptions
from workbench.collection.pdf import Page, Pdf, is_pdf, names_pdf
from workbench.collection.segments import cut_video
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.media import NOUNS
from workbench.media_formats import modality_of_name, sniff

TEXT_ENDINGS = ("txt", "md")
MAX_TEXT_BYTES = 1 << 20
COUNTED_PDFS, COUNTED_PDF_BYTES = 50, 64 << 20
# A role may be given by where a file lies: "Given folder name, find picture".
FOLDER_NAMES = ("folder name", "folder")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Documents:
    """Files of which every one is a document, or several: the pages of a PDF, the segments of a video."""

    label: str
    files: Files
    names: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What it is, for the page: "A ZIP of 12 PDFs (340 pages) and 3 pictures: documents without queries."."""
        told = " and ".join(_kinds_in_words(self.names, count_pages(self.files, self.names))) or "files"
        if len(self.names) == 1:
            return f"{told[0].upper()}{told[1:]}: documents without queries."
        return f"A {'ZIP' if isinstance(self.files, ZipFiles) else 'folder'} of {told}: documents without queries."

    def columns(self) -> list[str]:
        """No columns: nothing is to be chosen."""
        return []

    def samples(self, count: int = 4, most_bytes: int = 16 << 20) -> list[Item]:
        """The first documents that can be read, with thumbnails."""
        reader = FileReader(self.files, _Nothing(), ImportOptions(page_dpi=72))
        found: list[Item] = []
        for name in self.names[: 8 * count]:
            if len(found) < count and self.files.size(name) <= most_bytes:
                found += itertools.islice(_told_items(reader, name, Skipped()), 1)
        return found


def open_documents(path: Path) -> Documents:
    """The files of a folder or ZIP. Raises WorkbenchError if it is neither."""
    if not path.exists():
        raise WorkbenchError(f"There is no folder “{path}”. Check how it is spelled.")
    if path.is_file() and path.suffix.lower() != ".zip":
        raise WorkbenchError(f"“{path.name}” is a file. Give the folder it lies in, or a ZIP.")
    files: Files = FolderFiles(path) if path.is_dir() else ZipFiles(path)
    return Documents(storable(path.name), files, files.names())


def is_document(name: str) -> bool:
    """Whether a file name promises a picture, sound, video or PDF."""
    return modality_of_name(name) is not None or names_pdf(name)


def fill_with_files(
    target: Target,
    source: Documents,
    *,
    query: str = "",
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> Filled:
    """Write every file of a source as documents. What cannot be read is told by its name.

    query: "folder name" asks for each document by the name of the folder it lies in; "" leaves them without queries.
    Raises WorkbenchError if not one file can be read.
    """
    if query and query not in FOLDER_NAMES:
        raise WorkbenchError(
            f"“{source.label}” holds no table, so there is no column “{query}”. Leave the roles out, or choose "
            f"“{FOLDER_NAMES[0]}” as the query."
        )
    skipped, read, done = Skipped(), 0, 0
    reader = FileReader(source.files, target, options or ImportOptions())
    pages = count_pages(source.files, source.names)
    total = len(source.names) + sum(pages.values()) - len(pages)
    for name in source.names:
        asked = _folder_words(name) if query else ""
        for number, item in enumerate(_told_items(reader, name, skipped)):
            if progress:
                place = f"Reading files: page {number + 1:,} of “{name}”" if name in pages else "Reading files"
                progress(done + (number if name in pages else 0), total, place)
            document = target.add("corpus", item)
            read += 1
            if asked:
                target.judge(target.add("queries", Item(text=asked)), document)
        done += pages.get(name, 1)
        if progress:
            progress(done, total, "Reading files")
    if progress:
        progress(total, total, "Writing the collection")
    if not read:
        raise WorkbenchError(
            f"“{source.label}” holds no picture, sound, video, PDF or text that can be read.", skipped.problems()
        )
    return Filled(
        labels={"query": "folder name" if query else "query", "document": Path(source.label).stem},
        source={"file": source.label, "rows": len(source.names), "roles": {}},
        skipped=skipped.lines(),
    )


class FileReader:
    """Make items of whole files. One that `known` has already comes back with its id alone, without bytes."""

    def __init__(self, files: Files, known: Known, options: ImportOptions) -> None:
        self._files, self._known, self._options = files, known, options

    def items(self, name: str, report: Report) -> Iterator[Item]:
        """The documents of a file, one at a time; `report` is told of a page that cannot be drawn.

        Raises WorkbenchError, beginning with the file, if it cannot be used (or used to its end).
        """
        if not is_storable(name):
            raise WorkbenchError(f"the name of the file “{storable(name)}” is not UTF-8. Rename it.")
        try:
            data = self._files.read(name)
        except OSError:
            raise WorkbenchError(f"the file “{name}” cannot be read, or is a link out of the folder.") from None
        kind = sniff(data)
        if is_pdf(data) and kind is None:
            yield from self._pages(name, data, report)
        elif kind and kind[0] == "video" and self._options.segment_seconds:
            yield from self._segments(name, data, self._options.segment_seconds)
        elif kind:
            media: dict[str, Any] = {kind[0]: data}
            yield self._checked(Item(file=name, meta=_place_meta(name), **media))
        else:
            yield replace(self._text(name, data), meta=_place_meta(name))

    def _checked(self, item: Item) -> Item:
        return checked_item(self._known, "corpus", item)

    def _pages(self, name: str, data: bytes, report: Report) -> Iterator[Item]:
        with _naming("the PDF", name), Pdf(data, self._options.page_dpi) as pdf:
            for number in range(1, pdf.pages + 1):
                try:
                    page = pdf.page(number)
                except WorkbenchError as error:
                    report(error.message.replace("the PDF", f"the PDF “{name}”", 1))
                    continue
                yield self._page_item(name, pdf, page)

    def _page_item(self, name: str, pdf: Pdf, page: Page) -> Item:
        meta: dict[str, Any] = {**_place_meta(name), "title": pdf.title or Path(name).stem, "page": page.number}
        meta |= {"pages": pdf.pages} | ({"text_layer": page.text} if page.text else {})
        item = Item(image=page.image, thumbnail=page.thumbnail, file=f"{name}#page={page.number}", meta=meta)
        return replace(item, id=item.content_id())

    def _segments(self, name: str, data: bytes, seconds: float) -> Iterator[Item]:
        with _naming("the video", name):
            for segment in cut_video(data, seconds):
                meta = {**_place_meta(name), "source_file": name, "start_seconds": segment.start}
                item = Item(
                    video=segment.data,
                    file=f"{name}#t={segment.start:g},{segment.end:g}",
                    meta={**meta, "end_seconds": segment.end},
                )
                yield self._checked(item)

    def _text(self, name: str, data: bytes) -> Item:
        if name.rpartition(".")[2].lower() not in TEXT_ENDINGS:
            raise WorkbenchError(f"the file “{name}” is no picture, sound, video, PDF or text that can be read.")
        if len(data) > MAX_TEXT_BYTES:
            raise WorkbenchError(f"the file “{name}” is a text of more than {MAX_TEXT_BYTES >> 20} MB. Cut it up.")
        try:
            text = data.decode(detect_encoding(io.BytesIO(data)), "replace").strip()
        except WorkbenchError as error:
            raise WorkbenchError(f"the file “{name}” cannot be read: {error.message}") from None
        if not text:
            raise WorkbenchError(f"the file “{name}” is empty.")
        return Item(text=text, file=name)


def count_pages(files: Files, names: list[str]) -> dict[str, int]:
    """How many pages each PDF has, by name; {} where there are too many, or too large ones, to open all beforehand."""
    pdfs = [name for name in names if names_pdf(name)]
    if len(pdfs) > COUNTED_PDFS or sum(files.size(name) for name in pdfs) > COUNTED_PDF_BYTES:
        return {}
    counted = {}
    for name in pdfs:
        # One that cannot be opened is told when its turn comes.
        with suppress(WorkbenchError, OSError), Pdf(files.read(name)) as pdf:
            counted[name] = pdf.pages
    return counted


def _told_items(reader: FileReader, name: str, skipped: Skipped) -> Iterator[Item]:
    """The items of a file; what is wrong with it, or with a page of it, goes to `skipped`."""
    try:
        yield from reader.items(name, lambda reason: skipped.add(None, _sentence(reason)))
    except WorkbenchError as error:
        skipped.add(None, _sentence(error.message))


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


@contextmanager
def _naming(noun: str, name: str) -> Iterator[None]:
    """Errors that begin with “the video” say which one."""
    try:
        yield
    except WorkbenchError as error:
        if f"“{name}”" in error.message:
            raise
        raise WorkbenchError(error.message.replace(noun, f"{noun} “{name}”", 1)) from error


def _place_meta(name: str) -> dict[str, Any]:
    folder = posixpath.dirname(name)
    return {"folder": folder} if folder else {}


def _folder_words(name: str) -> str:
    """The name of the folder that a file lies in, as words: "golden_retriever" reads "golden retriever"."""
    return re.sub(r"[\s_]+", " ", posixpath.basename(posixpath.dirname(name))).strip()


def _kinds_in_words(names: list[str], pages: dict[str, int]) -> list[str]:
    """How many there are of each kind: "12 PDFs (340 pages)", "1 picture"."""
    kinds = Counter(kind for name in names if (kind := _kind_of_name(name)))
    words = []
    for kind, noun in (("pdf", "PDF"), *NOUNS.items(), ("text", "text")):
        if not kinds[kind]:
            continue
        told = f"{kinds[kind]:,} {noun}{'' if kinds[kind] == 1 else 's'}"
        if kind == "pdf" and len(pages) == kinds[kind]:
            count = sum(pages.values())
            told += f" ({count:,} page{'' if count == 1 else 's'})"
        words.append(told)
    return words


def _kind_of_name(name: str) -> str | None:
    if names_pdf(name):
        return "pdf"
    return modality_of_name(name) or ("text" if name.rpartition(".")[2].lower() in TEXT_ENDINGS else None)


class _Nothing:
    """Knows no item: for samples."""

    def has(self, side: str, identifier: str) -> bool:
        return False
