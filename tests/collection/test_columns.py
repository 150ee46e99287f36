"""Columns are recognised by what is in them, and roles proposed one can read aloud."""

from __future__ import annotations

import pytest

from tests import media_makers as make
from workbench.collection.archive import FolderFiles
from workbench.collection.columns import as_number, as_text, cell_values, propose_roles, recognise
from workbench.errors import WorkbenchError


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.png").write_bytes(make.picture())
    (tmp_path / "b.wav").write_bytes(make.tone())
    (tmp_path / "hash0123").write_bytes(make.picture())
    (tmp_path / "sound.png").write_bytes(make.tone())
    (tmp_path / "note.txt").write_text("words")
    return FolderFiles(tmp_path)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["a.png", "a.png"], "image"),
        (["b.wav"], "audio"),
        (["hash0123", ""], "image"),
        (["sound.png"], "audio"),
        (["a.png", None, "", "  ", "a.png"], "image"),
        (["gone.png", "lost.jpeg"], "image"),
        (["gone.mp4"], "video"),
        (["../a.png", "/etc/a.png"], "image"),
        (["https://example.org/a.png?size=3"], "image"),
        (["note.txt", "words"], "text"),
        (["a.png", "a text", "another text"], "text"),
        (["shrimp", "harp"], "text"),
        (["1", "2.5", "-3e4", "0,5", "nan"], "number"),
        ([1, 2.5, True, None], "number"),
        (["12", "ten"], "text"),
        ([make.picture()], "image"),
        ([{"bytes": make.tone(), "path": None}], "audio"),
        ([{"bytes": None, "path": "b.wav"}], "audio"),
        ([{"bytes": b"", "path": "b.wav"}], "audio"),
        ([["one", "two"], []], "text"),
        (["", None, " ", float("nan"), {"bytes": None, "path": None}], "empty"),
        ([], "empty"),
    ],
)
def test_the_kind_of_a_column_is_told_by_its_content(files, cells, kind):
    assert recognise(cells, files, "") == kind


def test_numbers_are_understood_with_a_decimal_comma_and_text_is_none():
    assert as_number("0,75") == 0.75
    assert as_number(" 2 ") == 2.0
    assert as_number("NaN") != as_number("NaN")
    assert as_number("1_000") is None
    assert as_number("") is None


def test_text_that_cannot_be_stored_is_mended_or_refused():
    assert as_text("half \ud83d pair").encode() == b"half ? pair"
    assert as_text(b"gr\xc3\xbcn") == "grün"
    with pytest.raises(WorkbenchError, match="bytes that are no text"):
        as_text(b"\xff\xfe\x00\x80")


def test_a_list_in_a_cell_is_several_values():
    assert cell_values(["a", "", None, ["b"]]) == ["a", "b"]
    assert cell_values("a") == ["a"]
    assert cell_values(0) == [0]


@pytest.mark.parametrize(
    ("kinds", "roles"),
    [
        ({"query": "text", "image": "image"}, {"query": "query", "image": "document"}),
        (
            {"text": "text", "audio": "audio", "digit": "text", "speaker": "text"},
            {"text": "query", "audio": "document"},
        ),
        ({"file_name": "image", "text": "text"}, {"file_name": "document", "text": "query"}),
        ({"id": "text", "x": "text", "y": "audio"}, {"x": "query", "y": "document"}),
        ({"answer": "text", "question": "text"}, {"question": "query", "answer": "document"}),
        (
            {"anchor": "text", "positive": "text", "negative": "text"},
            {"anchor": "query", "positive": "document", "negative": "negative"},
        ),
        (
            {"q": "text", "pos": "text", "neg_1": "text", "neg_2": "text"},
            {"q": "query", "pos": "document", "neg_1": "negative", "neg_2": "negative"},
        ),
        (
            {"sentence1": "text", "sentence2": "text", "score": "number"},
            {"sentence1": "query", "sentence2": "document", "score": "score"},
        ),
        ({"a": "text", "b": "text", "year": "number"}, {"a": "query", "b": "document"}),
        ({"anchor": "image", "positive": "image"}, {"anchor": "query", "positive": "document"}),
        ({"image": "image", "question": "text", "answer": "text"}, {"question": "query", "image": "document"}),
        ({"text": "text", "void": "empty"}, {"text": "query"}),
        ({"image": "image"}, {"image": "query"}),
        ({"n": "number"}, {}),
    ],
)
def test_roles_are_proposed_from_kinds_and_names(kinds, roles):
    assert propose_roles(kinds) == roles


def test_a_settled_column_leaves_the_others_to_be_proposed():
    kinds = {"photo": "image", "caption": "text", "title": "text"}
    assert propose_roles(kinds, query="photo") == {"photo": "query", "caption": "document"}
    assert propose_roles(kinds, document="caption") == {"photo": "query", "caption": "document"}
    assert propose_roles(kinds, query="title") == {"title": "query", "photo": "document"}
