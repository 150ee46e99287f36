"""The mapper warns when the first rows look turned round."""

from __future__ import annotations

from workbench.collection.direction import direction_warning

PASSAGE = "the bees leave their hive at dawn and come back with pollen on their legs " * 3
ROWS = [{"passage": f"{PASSAGE} {n}", "question": f"how do bees fly {n}", "photo": f"{n}.png"} for n in range(8)]
KINDS = {"passage": "text", "question": "text", "photo": "image", "label": "text", "number": "number"}


def warning(query: str | None, document: str | None, rows: list[dict[str, object]] | None = None) -> str:
    return direction_warning(rows or list(ROWS), KINDS, {"query": query, "document": document})


def test_long_passages_that_ask_for_short_questions_look_turned_round() -> None:
    said = warning("passage", "question")
    assert "the usual passage has 46 words and the usual question 5" in said
    assert warning("question", "passage") == ""


def test_long_captions_of_pictures_and_missing_roles_are_fine() -> None:
    assert warning("passage", "photo") == ""
    assert warning("photo", "passage") == ""
    assert warning(None, "photo") == ""
    assert warning("question", None) == ""


def test_labels_look_like_labels() -> None:
    rows = [{"label": ["cat", "dog"][n % 2], "photo": f"{n}.png"} for n in range(30)]
    assert warning("label", "photo", rows).startswith("2 short texts ask for 30 rows: that looks like class labels")
    captions = [{"label": f"cat {n}", "photo": f"{n}.png"} for n in range(30)]
    assert warning("label", "photo", captions) == ""


def test_empty_cells_and_few_rows_say_nothing() -> None:
    assert warning("passage", "question", [{"passage": None, "question": ""}]) == ""
    assert warning("passage", "question", ROWS[:2]) == ""
