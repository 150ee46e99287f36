"""Uploads made on the spot: tables, folders and ZIPs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import media_makers as make
from workbench.collection.editing import Edit

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200), (200, 30, 200), (9, 9, 9)]


def picture(number: int) -> bytes:
    """A different picture for each number."""
    return make.picture(colour=(number % 251, number // 251, 90))


def photo_folder(folder: Path, count: int = 6) -> Path:
    """pairs.csv (caption,photo) and count pictures in photos/."""
    (folder / "photos").mkdir(parents=True)
    lines = ["caption,photo"]
    for number in range(count):
        (folder / "photos" / f"{number}.png").write_bytes(picture(number))
        lines.append(f"caption {number},photos/{number}.png")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def zip_of(path: Path, members: Mapping[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def zip_folder(folder: Path, path: Path, top: str = "") -> Path:
    files = {
        top + file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    return zip_of(path, files)


def text_table(path: Path, rows: Sequence[Sequence[Any]], separator: str = ",", encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(separator.join(map(str, row)) + "\n" for row in rows).encode(encoding))
    return path


def json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def text_pairs(count: int = 8) -> list[tuple[str, str]]:
    return [("query", "document"), *((f"question {number}", f"answer {number}") for number in range(count))]


def set_split(edit: Edit, queries: Iterable[str], split: str) -> None:
    """Move all judgements of these queries (ids) to `train` or `eval`."""
    wanted = set(queries)
    for row in edit.collection.judgements.to_list():
        if row["query"] in wanted:
            meta = json.loads(row["meta"]) if row["meta"] else None
            edit.judge(row["query"], row["document"], row["score"], split, row["source"], meta)
