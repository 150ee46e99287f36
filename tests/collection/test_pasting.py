"""What people paste, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.collection.importing import import_collection
from workbench.collection.pasting import MAX_CHARACTERS, save_paste
from workbench.collection.reading import preview_source
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.workspace import Workspace

PAIRS = [("red ball", "a photo, red"), ("blue box", "a photo of a box"), ("green hat", "a hat")]


@pytest.mark.parametrize(
    "text",
    [
        'red ball\t"a photo, red"\r\nblue box\ta photo of a box\r\ngreen hat\ta hat\r\n',
        "red ball\ta photo, red\nblue box\ta photo of a box\n\ngreen hat\ta hat",
        "query\tdocument\nred ball\ta photo, red\nblue box\ta photo of a box\ngreen hat\ta hat",
        'Question,Answer\nred ball,"a photo, red"\nblue box,a photo of a box\ngreen hat,a hat\n',
        "red ball;a photo, red\nblue box;a photo of a box\ngreen hat;a hat\n",
        "red ball | a photo, red\nblue box | a photo of a box\ngreen hat | a hat",
        "| caption | photo |\n|---|:--|\n| red ball | a photo, red |\n| blue box | a photo of a box |\n"
        "| green hat | a hat |",
        '{"query": "red ball", "document": "a photo, red"}\n{"query": "blue box", "document": "a photo of a box"}\n'
        '{"query": "green hat", "document": "a hat"}',
        '[{"q": "red ball", "answer": "a photo, red"}, {"q": "blue box", "answer": "a photo of a box"},\n'
        '{"q": "green hat", "answer": "a hat"}]',
        '[["red ball", "a photo, red"], ["blue box", "a photo of a box"], ["green hat", "a hat"]]',
        "\ufeffred ball\ta photo, red\rblue box\ta photo of a box\rgreen hat\ta hat",
    ],
)
def test_whatever_way_pairs_are_pasted_they_arrive(workspace: Workspace, tmp_path: Path, text: str) -> None:
    path = save_paste(text, tmp_path)
    preview = preview_source(path)
    assert preview.problems == []
    import_collection(workspace, "pasted", path)
    collection = open_collection(workspace, "pasted")
    texts = {row["id"]: row["text"] for side in ("queries", "corpus") for row in collection.side(side)}
    table = collection.judgements[:]
    found = {(texts[query], texts[document]) for query, document in zip(table["query"], table["document"], strict=True)}
    assert found == set(PAIRS)


def test_a_third_column_of_numbers_is_the_score(tmp_path: Path) -> None:
    preview = preview_source(save_paste("a cat\ta photo of a cat\t1\na dog\ta photo of a cat\t0", tmp_path))
    assert preview.roles == {"query": "query", "document": "document", "negative": None, "score": "score"}
    assert len(preview.rows) == 2


def test_names_are_told_from_the_numbers_below_them(tmp_path: Path) -> None:
    preview = preview_source(save_paste("was\tfoto\tnote\na cat\tcat photo\t1\na dog\tdog photo\t0", tmp_path))
    assert [column.name for column in preview.columns] == ["was", "foto", "note"]


def test_a_spreadsheet_cell_may_hold_lines_and_a_text_may_hold_quotes(tmp_path: Path) -> None:
    rows = preview_source(save_paste('first\t"two\nlines, ""quoted"""\nsecond\tplain', tmp_path)).rows
    assert rows[0]["document"] == 'two\nlines, "quoted"'
    rows = preview_source(save_paste('"Hello" she said\tgreeting\n"5 inch\tsize', tmp_path)).rows
    assert [row["query"] for row in rows] == ['"Hello" she said', '"5 inch']


def test_a_line_without_its_second_part_is_told_by_the_import(workspace: Workspace, tmp_path: Path) -> None:
    path = save_paste("red ball | a photo\nblue box\ngreen hat | a hat", tmp_path)
    skipped = import_collection(workspace, "pasted", path)["skipped"]
    assert [line["reason"] for line in skipped] == [
        "Row 3: the cell of “document” is empty. Fill it, or remove the row."
    ]


def test_a_pasted_file_name_finds_no_file(workspace: Workspace, tmp_path: Path) -> None:
    from tests.conftest import png_bytes

    (tmp_path / "secret.png").write_bytes(png_bytes())
    path = save_paste("a secret | secret.png\nanother | ../secret.png", tmp_path)
    with pytest.raises(WorkbenchError, match="None of the 2 rows"):
        import_collection(workspace, "pasted", path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Nothing was pasted"),
        (" \n\t\n ", "Nothing was pasted"),
        ("only one part\nand another", "No line of what was pasted has two parts"),
        ('{"query": "a", "document": "b"}\n{"query": ', "begins as JSON"),
        ("[[1], [2]]", "begins as JSON"),
        ("x" * (MAX_CHARACTERS + 1), "Save it as a CSV file"),
    ],
)
def test_what_is_wrong_is_told_in_words(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(WorkbenchError, match=words):
        save_paste(text, tmp_path)
    assert list(tmp_path.iterdir()) == []


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_no_row_is_lost_whatever_its_cells_hold(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = "query\tdocument\n" + "".join(f"{left}\t{right}\n" for left, right in rows)
    folder = tmp_path_factory.mktemp("paste")
    try:
        path = save_paste(text, folder)
    except WorkbenchError:
        return
    assert preview_source(path).row_count == len(rows)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_nothing_that_is_pasted_makes_it_crash(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("paste")
    try:
        preview_source(save_paste(text, folder))
    except WorkbenchError as error:
        assert error.message
