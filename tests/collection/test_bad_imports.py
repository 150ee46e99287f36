"""Imports that fail, wholly or in part: a sentence that says what, where and what to do, and nothing half-written."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import media_makers as make
from tests.collection.uploads import json_lines, picture, text_pairs, text_table, zip_of
from workbench.collection import writing
from workbench.collection.importing import import_collection
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.workspace import open_workspace


def refused(workspace, source, name: str = "it", **options) -> WorkbenchError:
    """The refusal of an import, after looking that nothing of it is left."""
    with pytest.raises(WorkbenchError) as caught:
        import_collection(workspace, name, source, **options)
    assert list(workspace.collections.iterdir()) == []
    return caught.value


def table_and(members: dict[str, bytes], cells: list[str]) -> dict[str, bytes]:
    """pairs.csv (caption,photo) with one row a cell, and files beside it."""
    lines = ["caption,photo", *(f"caption {number},{cell}" for number, cell in enumerate(cells))]
    return {"pairs.csv": ("\n".join(lines) + "\n").encode(), **members}


def test_an_empty_file_is_refused(workspace, tmp_path):
    (tmp_path / "a.csv").touch()
    assert refused(workspace, tmp_path / "a.csv").message == "“a.csv” is empty (0 bytes). Save or upload it again."


def test_a_table_with_one_column_is_refused(workspace, tmp_path):
    error = refused(workspace, text_table(tmp_path / "a.csv", [("query",), ("x",)]))
    assert error.message.startswith("“a.csv” has one column, “query”. It needs two")


@pytest.mark.parametrize("name", ["Emoji", "../up", "a b", "", ".hidden", "x" * 65])
def test_a_name_outside_the_allowed_set_is_refused(workspace, tmp_path, name):
    error = refused(workspace, text_table(tmp_path / "a.csv", text_pairs()), name)
    assert error.message.startswith(f"“{name}” cannot be the name of a collection. Use 1 to 64 small letters")


def test_a_taken_name_is_refused_and_the_collection_stays(workspace, tmp_path):
    path = text_table(tmp_path / "a.csv", text_pairs())
    import_collection(workspace, "it", path)
    before = open_collection(workspace, "it").fingerprint
    with pytest.raises(WorkbenchError, match="There is already something named “it”"):
        import_collection(workspace, "it", path, seed=5)
    assert open_collection(workspace, "it").fingerprint == before


def test_every_bad_row_is_skipped_and_told_by_its_number(workspace, tmp_path):
    whole = make.noisy_jpeg()
    members = table_and(
        {
            "0.png": picture(0),
            "1.png": picture(1),
            "half.jpg": whole[: len(whole) // 2],
            "huge.png": make.png_header(60_000, 60_000),
            "void.wav": b"",
            "words.png": b"not a picture at all",
        },
        ["0.png", "cat.png", "half.jpg", "huge.png", "void.wav", "words.png", "../0.png", "half.jpg", "", "1.png"],
    )
    result = import_collection(workspace, "it", zip_of(tmp_path / "up.zip", members))
    assert (result["queries"], result["documents"]) == (2, 2), "a bad row leaves no orphan"
    assert result["skipped"] == [
        {"row": row, "reason": f"Row {row}: {reason}"}
        for row, reason in [
            (3, "the picture “cat.png” is not in the upload. Add it to the ZIP, or remove the row."),
            (4, "the picture “half.jpg” is cut off: the end of the file is missing. Save or copy it again."),
            (5, "the picture “huge.png” has 3,600 million pixels; the limit is 64 million. Make it smaller."),
            (6, "the picture “void.wav” is an empty file (0 bytes)."),
            (
                7,
                "the picture “words.png” is in no format that can be opened here. Use PNG, JPEG, WebP, GIF or TIFF.",
            ),
            (
                8,
                "“../0.png” points outside the upload, so it was not opened. "
                "Put the file beside the table, and its relative path into the cell.",
            ),
            (9, "the picture “half.jpg” is cut off: the end of the file is missing. Save or copy it again."),
            (10, "the cell of “photo” is empty. Fill it, or remove the row."),
        ]
    ]
    assert open_collection(workspace, "it").card.skipped == result["skipped"]


def test_a_wav_of_0_bytes_is_told_by_its_row(workspace, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(make.tone(300 + number) if number else b"")
    rows = [("text", "audio"), *((f"tone {n}", f"{n}.wav") for n in range(3))]
    result = import_collection(workspace, "it", text_table(tmp_path / "t.csv", rows))
    reason = "Row 2: the sound “0.wav” is an empty file (0 bytes)."
    assert result["skipped"] == [{"row": 2, "reason": reason}]
    assert result["documents"] == 2


def test_30_percent_empty_cells_are_skipped_one_by_one(workspace, tmp_path):
    rows = [("query", "document")]
    rows += [("" if n % 10 in (0, 1) else f"q{n}", "  " if n % 10 == 2 else f"d{n}") for n in range(100)]
    result = import_collection(workspace, "it", text_table(tmp_path / "t.csv", rows))
    assert result["queries"] == result["documents"] == 70
    assert len(result["skipped"]) == 30
    assert result["skipped"][2]["reason"] == "Row 4: the cell of “document” is empty. Fill it, or remove the row."


def test_scores_that_are_no_numbers_are_skipped(workspace, tmp_path):
    scores = ["0.5", "NaN", "", "inf", "high", *["1"] * 20]
    rows = [("query", "document", "score"), *((f"q{n}", f"d{n}", score) for n, score in enumerate(scores))]
    result = import_collection(workspace, "it", text_table(tmp_path / "t.csv", rows))
    assert [line["reason"] for line in result["skipped"]] == [
        "Row 3: the score “NaN” is not a number. Give one, or remove the row.",
        "Row 4: the score in “score” is empty. Give a number, or remove the row.",
        "Row 5: the score “inf” is not a number. Give one, or remove the row.",
        "Row 6: the score “high” is not a number. Give one, or remove the row.",
    ]
    assert result["queries"] == 21


def test_nan_scores_in_json_and_parquet_are_skipped_too(workspace, tmp_path):
    rows = [{"query": f"q{n}", "document": f"d{n}", "score": float("nan") if n == 1 else 1.0} for n in range(5)]
    result = import_collection(workspace, "it", json_lines(tmp_path / "t.jsonl", rows))
    assert result["skipped"] == [
        {"row": 2, "reason": "Row 2: the score “nan” is not a number. Give one, or remove the row."}
    ]


def test_when_no_row_can_be_used_the_first_problems_are_listed(workspace, tmp_path):
    members = table_and({}, [f"{number}.png" for number in range(30)])
    error = refused(workspace, zip_of(tmp_path / "up.zip", members))
    assert error.message == ("None of the 30 rows of “up.zip” can be used, so nothing was imported. Mend these first:")
    assert error.problems[0] == (
        "Row 2: the picture “0.png” is not in the upload. Add it to the ZIP, or remove the row."
    )
    assert error.problems[20] == "… and 10 more."


def test_a_table_in_which_nothing_is_relevant_is_refused(workspace, tmp_path):
    rows = [("query", "document", "score"), *((f"q{n}", f"d{n}", 0) for n in range(5))]
    assert "has no row whose score is above 0" in refused(workspace, text_table(tmp_path / "t.csv", rows)).message


def damaged(data: bytes, generator: random.Random) -> bytes:
    """The same bytes with a few changed, cut out or added."""
    bytes_ = bytearray(data)
    for _ in range(generator.choice([1, 2, 5, 20])):
        place = generator.randrange(len(bytes_))
        change = generator.randrange(3)
        if change == 0:
            bytes_[place] = generator.randrange(256)
        elif change == 1:
            del bytes_[place : place + generator.randrange(1, 20)]
        else:
            bytes_[place:place] = generator.randbytes(10)
    return bytes(bytes_)


@pytest.mark.parametrize("extension", ["zip", "parquet", "jsonl", "csv"])
def test_damaged_uploads_import_or_end_in_words(workspace, tmp_path, extension):
    import pyarrow
    import pyarrow.parquet

    whole = tmp_path / f"whole.{extension}"
    if extension == "zip":
        zip_of(whole, table_and({"0.png": picture(0), "1.png": picture(1)}, ["0.png", "1.png"]))
    elif extension == "parquet":
        cells = [{"bytes": picture(number), "path": None} for number in range(4)]
        pyarrow.parquet.write_table(pyarrow.table({"q": list("abcd"), "photo": cells}), whole)
    elif extension == "jsonl":
        json_lines(whole, [{"q": f"query {n}", "d": [f"document {n}", "é"]} for n in range(4)])
    else:
        text_table(whole, [*text_pairs(4), ('"a', 'b"')])
    generator, refusals = random.Random(0), 0
    for number in range(60):
        path = tmp_path / f"up.{extension}"
        path.write_bytes(damaged(whole.read_bytes(), generator))
        try:
            import_collection(workspace, f"it-{number}", path)
        except WorkbenchError as error:
            assert error.message[0] in "“RNT", error.message
            refusals += 1
    assert refusals > 0
    assert not list(workspace.collections.glob(".*"))


def test_unsafe_zips_are_refused_whole(workspace, tmp_path):
    members = table_and({"0.png": picture(0), "../up.png": picture(1)}, ["0.png"])
    assert "a name that points outside the ZIP" in refused(workspace, zip_of(tmp_path / "up.zip", members)).message
    assert not (workspace.root.parent / "up.png").exists()


def test_addresses_and_absolute_paths_in_cells_are_not_opened(workspace, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(5))
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "0.png").write_bytes(picture(0))
    os.symlink(secret, tmp_path / "up" / "link.png")
    cells = ["0.png", str(secret), "../secret.png", "link.png", "https://example.org/a.png", f"file://{secret}"]
    rows = [("caption", "photo"), *((f"c{n}", cell) for n, cell in enumerate(cells))]
    result = import_collection(workspace, "it", text_table(tmp_path / "up" / "t.csv", rows))
    assert result["documents"] == 1
    reasons = [line["reason"] for line in result["skipped"]]
    assert ["points outside" in reason for reason in reasons] == [True, True, False, False, False]
    assert "“link.png” is not in the folder of the table" in reasons[2]
    assert all("is a web address" in reason for reason in reasons[3:])


def test_a_disk_that_is_full_while_writing_is_told_in_words(workspace, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing.TableWriter, "write", full)
    message = refused(workspace, text_table(tmp_path / "t.csv", text_pairs())).message
    assert message == (
        f"The disk that holds {workspace.collections} is full, so this was not saved. "
        "Free some space (old runs are the largest), then start it again."
    )


@pytest.mark.parametrize("kilobytes", [24, 600])
def test_a_disk_that_is_really_full_is_told_in_words_and_left_as_it_was(tmp_path, kilobytes):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        workspace = open_workspace(disk / "workspace")
        rows = [{"query": f"query {n}" + "x" * 500, "document": f"document {n}" + "y" * 500} for n in range(2000)]
        message = refused(workspace, json_lines(tmp_path / "t.jsonl", rows)).message
        assert "is full, so this was not saved. Free some space" in message
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_an_unforeseen_error_leaves_nothing(workspace, tmp_path, monkeypatch):
    def broken(*arguments, **named):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(writing.CollectionWriter, "finish", broken)
    with pytest.raises(RuntimeError):
        import_collection(workspace, "it", text_table(tmp_path / "t.csv", text_pairs()))
    assert list(workspace.collections.iterdir()) == []


SLOW_IMPORT = """
import sys, time
from pathlib import Path
from workbench.collection.importing import import_collection
from workbench.workspace import open_workspace

def progress(step, total, note):
    Path(sys.argv[3]).touch()
    time.sleep(60)

import_collection(open_workspace(sys.argv[1]), "it", Path(sys.argv[2]), progress=progress)
"""


def test_what_a_killed_import_left_is_swept_by_the_next_one(workspace, tmp_path):
    path, started = text_table(tmp_path / "t.csv", text_pairs()), tmp_path / "started"
    other = workspace.collections / ".it.too.abcd1234"
    other.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_IMPORT, str(workspace.root), str(path), str(started)],
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        deadline = time.monotonic() + 60
        while not started.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(WorkbenchError, match="“it” is being imported right now"):
            import_collection(workspace, "it", path)
    finally:
        process.kill()
        process.wait()
    assert len(list(workspace.collections.glob(".it.????????"))) == 1
    assert import_collection(workspace, "it", path)["queries"] == 8
    assert sorted(entry.name for entry in workspace.collections.iterdir()) == [".it.too.abcd1234", "it"]
