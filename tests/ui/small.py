"""A small collection with every awkward text in it, made in a moment, for tests of the page."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

from tests.conftest import png_bytes, wav_bytes

NASTY = "<script>alert('caption')</script>"
TEMPLATE = "${alert('template')} `${alert(1)}` {{value}}"


def write_zip(path: Path, rows: int = 24, *, column: str = "caption", missing: int = 0) -> Path:
    """A ZIP of pairs.csv and pictures; the last `missing` rows name pictures that are not there."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow([column, "photo"])
    with zipfile.ZipFile(path, "w") as file:
        for row in range(rows):
            caption = NASTY if row == 0 else TEMPLATE if row == 2 else f"picture number {row}"
            writer.writerow([caption, f"photos/{row}.png"])
            if row < rows - missing:
                colour = (40 + 9 * row % 200, 255 - 9 * row % 200, (row * 37) % 255)
                file.writestr(f"photos/{row}.png", png_bytes(colour, (32, 32)))
        file.writestr("pairs.csv", table.getvalue())
    return path


def write_sounds(path: Path, rows: int = 12) -> Path:
    """A ZIP of pairs.csv and sounds."""
    with zipfile.ZipFile(path, "w") as file:
        lines = ["word,sound"]
        for row in range(rows):
            lines.append(f"tone {row},sounds/{row}.wav")
            file.writestr(f"sounds/{row}.wav", wav_bytes(200.0 + 40 * row))
        file.writestr("pairs.csv", "\n".join(lines))
    return path
