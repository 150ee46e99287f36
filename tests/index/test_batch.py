"""Many queries at once: every line is asked or named, and the file is the same as the searches one by one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection, texts
from workbench.collection.store import Item
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.evaluation.asked import held_out_queries
from workbench.index import batch
from workbench.index.asking import Asked, Skipped, read_queries
from workbench.index.batch import answer_queries, format_of, trec_lines, whole_file
from workbench.index.build import build_index
from workbench.index.registry import IndexCard, get_index
from workbench.index.results import Hit, SearchResult
from workbench.index.search import Searcher
from workbench.workspace import Workspace, new_folder


def reasons(found: list[Asked | Skipped]) -> dict[int, str]:
    return {one.line: one.reason for one in found if isinstance(one, Skipped)}


def asked(found: list[Asked | Skipped]) -> list[tuple[int, str, str | None]]:
    return [(one.line, one.id, one.item.text) for one in found if isinstance(one, Asked)]


def test_lines_of_text_have_their_numbers_as_ids(tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("\ufeffa red circle\r\n\r\n  naïve 漢字  \n", encoding="utf-8")
    assert asked(list(read_queries(file))) == [(1, "1", "a red circle"), (3, "3", "naïve 漢字")]


def test_json_lines_bring_ids_and_media_and_bad_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png_bytes())
    (tmp_path / "fake.png").write_bytes(b"no picture")
    lines = [
        {"id": "q1", "text": "a cat"},
        {"qid": 7, "query": "with a picture", "image": "cat.png"},
        {"image": "gone.png"},
        {"image": "fake.png"},
        {"id": "q1", "text": "again"},
        {"id": "q5"},
        {"text": 3},
    ]
    file = tmp_path / "queries.jsonl"
    file.write_text("\n".join([*map(json.dumps, lines), "not json", "[1]"]), encoding="utf-8")
    found = list(read_queries(file))
    assert asked(found) == [(1, "q1", "a cat"), (2, "7", "with a picture")]
    second = found[1]
    assert isinstance(second, Asked) and second.item.modality == "text+image"
    said = reasons(found)
    assert list(said) == [3, 4, 5, 6, 7, 8, 9]
    assert "cannot be read" in said[3] and "fake.png" in said[4] and "line 1 already" in said[5]
    assert "asks nothing" in said[6] and "no text" in said[7] and "no JSON object" in said[8]


def test_a_table_is_asked_by_its_column_and_a_tsv_by_id_and_text(tmp_path: Path) -> None:
    table = tmp_path / "queries.csv"
    table.write_text('_id,Question,note\na,"what, then?",x\nb,,y\n', encoding="utf-8")
    found = list(read_queries(table))
    assert asked(found) == [(2, "a", "what, then?")]
    assert "asks nothing" in reasons(found)[3]
    assert asked(list(read_queries(table, "note"))) == [(2, "a", "x"), (3, "b", "y")]
    with pytest.raises(WorkbenchError, match=r"no column “title”\. It has: _id, Question, note\. .* --column"):
        list(read_queries(table, "title"))
    tabbed = tmp_path / "queries.tsv"
    tabbed.write_text("q1\ta lamp\nno tab here\n\tnameless\n", encoding="utf-8")
    found = list(read_queries(tabbed))
    assert asked(found) == [(1, "q1", "a lamp"), (3, "3", "nameless")]
    assert reasons(found) == {2: "there is no tab between an id and a text."}


def test_a_file_that_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(WorkbenchError, match=r"The file of queries, .* cannot be read"):
            list(read_queries(path))


@pytest.fixture
def card(workspace: Workspace, toy: ToyEmbedder) -> IndexCard:
    make_collection(workspace, "words", texts(120))
    build_index(workspace, "words", "words", "toy", embedder=toy)
    return get_index(workspace, "words")


def test_a_batch_finds_what_the_searches_find_one_by_one(
    searcher: Searcher, card: IndexCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK", 4)
    out, told = io.StringIO(), []
    queries = [Asked(n, f"q{n}", Item(text=f"question {n}")) for n in range(10)]
    lines: list[Asked | Skipped] = [*queries[:5], Skipped(99, "it is bad."), *queries[5:]]
    done = answer_queries(searcher, card, lines, out, "jsonl", top=7, progress=lambda *said: told.append(said))
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["id"] for line in written] == [one.id for one in queries]
    for one, line in zip(queries, written, strict=True):
        alone = searcher.search("words", one.item, top=7).as_json()
        assert [hit["id"] for hit in line["hits"]] == [hit["id"] for hit in alone["hits"]]
        assert line.keys() == {"id", *alone}
    assert (done["queries"], done["left_out"], done["skipped"]) == (10, 1, [{"row": 99, "reason": "it is bad."}])
    assert told == [(4, 0), (7, 1), (10, 1)]


def test_queries_are_read_no_further_than_the_block_that_is_asked(
    searcher: Searcher, card: IndexCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK", 4)
    read = 0

    def lines() -> Iterator[Asked]:
        nonlocal read
        for read in range(1, 21):
            yield Asked(read, str(read), Item(text=f"question {read}"))

    def asked_at_once() -> list[int]:
        told: list[tuple[int, int]] = []
        answer_queries(
            searcher, card, lines(), io.StringIO(), "trec", progress=lambda asked, _: told.append((asked, read))
        )
        assert all(asked == read for asked, read in told)
        return [asked for asked, _ in told]

    assert asked_at_once() == [4, 8, 12, 16, 20]
    monkeypatch.setattr(batch, "BLOCK_BYTES", 1)
    pictures = [Asked(n, str(n), Item(image=png_bytes((n, 0, 0)))) for n in range(3)]
    told: list[int] = []
    answer_queries(searcher, card, pictures, io.StringIO(), "trec", progress=lambda asked, _: told.append(asked))
    assert told == [1, 2, 3]


def test_a_run_keeps_the_order_that_was_shown() -> None:
    def run(*scores: float) -> list[list[str]]:
        hits = [
            Hit(rank, f"d{rank}", score, "text", "", "", rank, "c", rank, score)
            for rank, score in enumerate(scores, start=1)
        ]
        return [line.split() for line in trec_lines("q", SearchResult("i", "m", hits, {}, 8), "i").splitlines()]

    assert run(0.9, 0.5)[0] == ["q", "Q0", "d1", "1", "0.9", "i"]
    # Equal scores, and a cosine behind a reranker's lower score: the ranks count down instead.
    assert [line[4] for line in run(0.5, 0.5, 0.4)] == ["3", "2", "1"]
    assert [line[4] for line in run(-4.0, 0.8)] == ["2", "1"]


def test_ids_that_a_run_cannot_hold_are_named(searcher: Searcher, card: IndexCard) -> None:
    lines = [Asked(1, "a b", Item(text="x")), Asked(2, "c", Item(text="y"))]
    done = answer_queries(searcher, card, lines, io.StringIO(), "trec")
    assert done["queries"] == 1 and done["skipped"][0]["row"] == 1
    with pytest.raises(WorkbenchError, match="not one query") as caught:
        answer_queries(searcher, card, lines[:1], io.StringIO(), "trec")
    assert caught.value.problems and "Line 1" in caught.value.problems[0]


def test_the_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text("of before")
    with pytest.raises(WorkbenchError, match="halfway"), whole_file(path) as out:
        out.write("half")
        raise WorkbenchError("halfway")
    assert path.read_text() == "of before" and list(tmp_path.iterdir()) == [path]
    with whole_file(path) as out:
        out.write("whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(WorkbenchError, match="cannot be written"), whole_file(tmp_path / "none" / "run.trec"):
        pass


def test_the_format_is_the_files_ending_unless_it_is_said() -> None:
    assert [format_of(Path(name)) for name in ("a.jsonl", "a.trec", "a.run")] == ["jsonl", "trec", "trec"]
    assert (format_of(None), format_of(Path("a.txt"), "trec")) == ("jsonl", "trec")
    for wrong in (lambda: format_of(Path("a.txt")), lambda: format_of(None, "xml")):
        with pytest.raises(WorkbenchError):
            wrong()


def judged_collection(workspace: Workspace) -> None:
    """Forty queries with one to three graded answers each, of 160 documents; a quarter of the pairs are held out."""
    with new_folder(workspace.collection("judged")) as folder, CollectionWriter(folder) as writer:
        for number in range(40):
            query = writer.add("queries", Item(text=f"group {number} asked"))
            for answer in range(4):
                document = writer.add("corpus", Item(text=f"group {number if answer else number + 1} answer {answer}"))
                if answer <= number % 3:
                    writer.judge(query, document, score=1.0 + answer, split="eval" if number % 4 == 0 else "train")
        writer.finish("judged", labels={"query": "query", "document": "document"}, source={})


def test_the_run_of_the_held_out_queries_scores_as_the_evaluation_does(
    workspace: Workspace, searcher: Searcher, toy: ToyEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ir_measures

    from workbench.collection.store import open_collection
    from workbench.evaluation.evaluate import evaluate
    from workbench.evaluation.held_out import ALL, held_out

    judged_collection(workspace)
    build_index(workspace, "judged", "judged", "toy", embedder=toy)
    queries, among = held_out_queries(workspace, "judged")
    out = io.StringIO()
    answer_queries(searcher, get_index(workspace, "judged"), queries, out, "trec", top=100, among=among)

    opened = open_collection(workspace, "judged")
    direction = held_out(opened).directions[ALL]
    query_ids, document_ids = opened.queries["id"][:], opened.corpus["id"][:]
    judged = [
        ir_measures.Qrel(query_ids[int(row)], document_ids[int(direction.target_rows[at])], int(gain))
        for row, relevant in zip(direction.source_rows, direction.relevant, strict=True)
        for at, gain in relevant.items()
    ]
    run = list(ir_measures.read_trec_run(io.StringIO(out.getvalue())))
    scored = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], judged, run)[ir_measures.nDCG @ 10]
    for slow in ("speeds", "_floors"):
        monkeypatch.setattr(f"workbench.evaluation.evaluate.{slow}", lambda *_: [])
    made: Any = evaluate(workspace, "judged", ["toy"], dimensions=[32], load=lambda *_: toy)
    expected = next(row for row in made["results"] if row["direction"] == ALL)["metrics"]["ndcg@10"]
    assert 0.2 < expected < 0.999
    assert scored == pytest.approx(expected, abs=1e-6)
