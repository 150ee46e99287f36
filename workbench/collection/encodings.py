"""In which encoding a text is, told from its bytes."""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from workbench.errors import WorkbenchError

DETECTION_BYTES = 64 << 20
LEAST_LETTERS = 20
_RUN = re.compile(rb"[\x80-\xff]{4,}")
_FOREIGN = re.compile("[\udc80-\udcff]")
FOREIGN_BYTES = "some of its letters are not UTF-8, as the rest of the table is. Save the table as UTF-8."


def detect_encoding(file: BinaryIO) -> str:
    """The encoding of a text: by its byte order mark, else UTF-16 by its zeros, UTF-8 if it is, else Latin-1.

    Windows-1252, which shares all printable characters with Latin-1, is taken where it fits. A text with more whole
    UTF-8 letters than bytes that are none is UTF-8 with some damage: read it with errors="surrogateescape", and see
    `holds_foreign_bytes`. Looks at the first DETECTION_BYTES. Raises WorkbenchError (beginning with “it”) for a text
    whose letters stand as close together as no Western language has them: it would be read as gibberish.
    """
    head = file.read(4096)
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    if head[1::2].count(0) > len(head) // 8:
        return "utf-16-le"
    if head[0::2].count(0) > len(head) // 8:
        return "utf-16-be"
    utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    windows = codecs.getincrementaldecoder("cp1252")("surrogateescape")
    data, read, whole, foreign, fits_windows, high, in_runs = head, 0, 0, 0, True, 0, 0
    while data and read < DETECTION_BYTES:
        text = utf8.decode(data)
        if not text.isascii():
            bad = len(_FOREIGN.findall(text))
            whole, foreign = whole + _letters(text) - bad, foreign + bad
            fits_windows = fits_windows and not holds_foreign_bytes(windows.decode(data))
            high += _high(data)
            in_runs += sum(len(run) for run in _RUN.findall(data))
        read += len(data)
        data = file.read(1 << 20)
    if not foreign or whole > foreign:
        return "utf-8"
    if high >= LEAST_LETTERS and in_runs > high / 2:
        raise WorkbenchError("it is neither in UTF-8 nor in a Western encoding. Save it as UTF-8.")
    return "cp1252" if fits_windows else "latin-1"


def holds_foreign_bytes(text: str) -> bool:
    """Whether a text that was read with errors="surrogateescape" holds bytes that are not of its encoding."""
    return not text.isascii() and _FOREIGN.search(text) is not None


def _letters(text: str) -> int:
    """How many characters are not ASCII."""
    return len(text) - len(text.encode("ascii", "ignore"))


def _high(data: bytes) -> int:
    """How many bytes are not ASCII."""
    return len(data) - len(data.decode("ascii", "ignore"))
