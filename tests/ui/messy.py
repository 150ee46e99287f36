"""A ZIP as people bring them: two tables and their pictures, with ten faults planted in it."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

from PIL import Image

from workbench.collection.scenes import render, sample_scenes

TRAIN, HELD_OUT = 60, 20
# What the import must refuse, and what the doctor must find afterwards.
REFUSED = 3
PLANTED = {
    "exact-duplicate",
    "contradiction",
    "false-negative",
    "leaked-query",
    "leaked-document",
    "blank-image",
    "personal-data",
}


def messy_zip(path: Path) -> Path:
    """Write it to `path`: train.csv, test.csv and photos/; the columns are caption, photo and score."""
    scenes = list(render(sample_scenes(TRAIN + HELD_OUT, 5), 5))
    rows = [[caption, f"photos/{number:03}.png", "1"] for number, (caption, _, _) in enumerate(scenes)]
    files = {f"photos/{number:03}.png": picture for number, (_, picture, _) in enumerate(scenes)}
    train, test = rows[:TRAIN], rows[TRAIN:]

    train.append([rows[0][0] + " once more", "photos/nowhere.png", "1"])  # 1: a picture that is not there
    files["photos/cut.png"] = files["photos/001.png"][:200]  # 2: a picture that is cut off
    train.append(["a picture that was cut off", "photos/cut.png", "1"])
    train.append(["", "photos/002.png", "1"])  # 3: an empty caption

    train.append(["  " + rows[3][0].upper(), "photos/004.png", "1"])  # 4: the same caption again, written differently
    train.append([rows[5][0].title(), "photos/005.png", "0"])  # 5: right in one row and wrong in another
    train.append([rows[6][0].upper(), "photos/007.png", "1"])  # 6: right for one query and wrong for its twin
    train.append([rows[6][0], "photos/007.png", "0"])
    train.append([rows[TRAIN][0].upper(), "photos/008.png", "1"])  # 7: a held-out query among those to learn from
    files["photos/again.jpg"] = jpeg(files[f"photos/{TRAIN + 1:03}.png"])  # 8: a held-out picture, saved again
    train.append(["the same scene in another format", "photos/again.jpg", "1"])
    files["photos/blank.png"] = plain()  # 9: nothing on it
    train.append(["an empty sheet of paper", "photos/blank.png", "1"])
    train.append(["ask jane.doe@clinic.org for the scan", "photos/009.png", "1"])  # 10: somebody's address
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train.csv", table(train))
        archive.writestr("test.csv", table(test))
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def table(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([["caption", "photo", "score"], *rows])
    return text.getvalue()


def jpeg(picture: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def plain() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(buffer, "PNG")
    return buffer.getvalue()
