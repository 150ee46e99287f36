"""200 hostile strings as query, field, value, index and modality: no other result and no more work than plain words."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import png_bytes
from tests.index.toys import ToyEmbedder, make_collection
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import full_text, table
from workbench.index.build import build_index
from workbench.index.fields import Condition
from workbench.index.search import Searcher
from workbench.index.wish import LONGEST_QUERY
from workbench.workspace import Workspace

PLAIN = "red lamp"
WRITTEN = [
    "'", '"', "`", "''", "\\", "\\'", ";", "--", "/*", "*/", "#", "%", "_", "*", "?", "(", ")", "((((", "[", "]", "{}",
    "' OR '1'='1", "' OR 1=1 --", '" OR ""="', "1; DROP TABLE words; --", "'; DELETE FROM words WHERE 'a'='a",
    "x' UNION SELECT * FROM words --", "row IN (1, 2, 3)", "row < 0", "modality = 'image'", "1=1", "TRUE", "NULL",
    "NOT red", "red AND lamp", "red OR lamp", "+red -lamp", "red^10", "red~2", "red*", "text:red", "_exists_:text",
    "text:(red OR lamp)", "{text: red}", "[a TO z]", "/red.*/", "\"red lamp\"~5", "red && lamp || !blue",
    "NEAR(red lamp)",
    "../../etc/passwd", "/etc/passwd", "C:\\Windows\\win.ini", "file:///etc/passwd", "http://127.0.0.1/x.png", "a\x00b",
    "\x00", "\r\n", "\t", "\x1b[31m", "\u202egnirts", "\u200b", "\ufeff", "\ufffd", "\u2028", "漢字",
    "ｒｅｄ", "ＯＲ", "ﬁ",
    "💡", "👩‍👩‍👧‍👦", "e\u0301" * 40, "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞A̴̵̜̰͔ͫ͗͢L", "\ud800",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{7*7}}",
    "${jndi:ldap://x}", "%s%s%n", "%00", "$(reboot)", "`id`", "| cat /etc/passwd", "__proto__", "constructor", "nan",
    "inf", "-1", "1e309", "0x41", "9" * 400, "a" * 5000, "red " * 5000, "x" * 1_000_000, "'" * 100_000, "(" * 100_000,
    "漢" * 100_000, "\u0301" * 100_000, " ".join(f"word{n}" for n in range(100_000)), "=", "==", "a=b", "..", "1..2",
    "CASE WHEN 1=1 THEN 1 ELSE 0 END", "sleep(10)", "pg_sleep(10)", "regexp_match(text, '(a+)+$')", "cast(x as int)",
]  # fmt: skip


def strings() -> list[str]:
    """The written ones, and made ones out of the pieces that engines stumble over, up to 200."""
    pieces = [
        "'",
        '"',
        "\\",
        "--",
        "/*",
        ";",
        "(",
        ")",
        " OR ",
        " AND ",
        "%",
        "\x00",
        "漢",
        "\u202e",
        "red",
        "1",
        " ",
        "*",
    ]
    generator = random.Random(6)
    made = ["".join(generator.choices(pieces, k=generator.randrange(2, 40))) for _ in range(200 - len(WRITTEN))]
    return [*WRITTEN, *made]


@dataclass
class Work:
    """What an engine was asked for: how often, the longest filter, and the longest words."""

    queries: int = 0
    filters: set[str] = field(default_factory=set)
    longest: int = 0


@contextmanager
def counted(patch: pytest.MonkeyPatch) -> Iterator[Work]:
    from lancedb import query

    work = Work()
    with patch.context() as within:
        for kind in (query.LanceVectorQueryBuilder, query.LanceFtsQueryBuilder, query.LanceEmptyQueryBuilder):
            within.setattr(kind, "where", _filtering(kind.where, work))
        within.setattr(full_text, "_found", _finding(full_text._found, work))
        within.setattr(table, "query_table", _counting(table.query_table, work))
        yield work


def _filtering(where: Any, work: Work) -> Any:
    def counted_where(self: Any, words: str, *rest: Any, **how: Any) -> Any:
        work.filters.add(words)
        return where(self, words, *rest, **how)

    return counted_where


def _finding(found: Any, work: Work) -> Any:
    def counted_found(opened: Any, key: str, query: str, limit: int, where: str = "") -> Any:
        work.queries += 1
        work.longest = max(work.longest, len(query))
        return found(opened, key, query, limit, where)

    return counted_found


def _counting(search: Any, work: Work) -> Any:
    def counted_search(*given: Any) -> Any:
        work.queries += 1
        return search(*given)

    return counted_search


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Searcher]:
    from workbench.workspace import open_workspace

    workspace, toy = open_workspace(tmp_path_factory.mktemp("hostile")), ToyEmbedder()
    lamps = [Item(text=f"{'red' if n % 2 else 'blue'} lamp {n}", meta={"room": f"r{n % 3}"}) for n in range(40)]
    make_collection(workspace, "words", [*lamps, Item(image=png_bytes(), meta={"room": "r0"})])
    build_index(workspace, "words", "words", "toy", embedder=toy)
    return workspace, Searcher(workspace, load_embedder=lambda *_, **__: toy)


def test_there_are_two_hundred() -> None:
    assert len(set(strings())) == 200 and max(map(len, strings())) >= 1_000_000


def test_a_hostile_query_is_words_like_any_others(
    asked: tuple[Workspace, Searcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, searcher = asked
    with counted(monkeypatch) as plain:
        searcher.search("words", Item(text=PLAIN), hybrid=0.5)
    refused = 0
    for text in strings():
        with counted(monkeypatch) as work:
            try:
                found = searcher.search("words", Item(text=text), hybrid=0.5)
            except WorkbenchError as error:
                assert len(text) > LONGEST_QUERY or not text.strip(), text[:50]
                assert len(error.message) < 200 and work.queries == 0
                refused += 1
                continue
        assert len(found.hits) == 10 and work.queries <= plain.queries
        assert work.longest <= full_text.LONGEST
        assert all(re.fullmatch(r"row IN \([0-9, ]+\)", words) for words in work.filters)
        # Only a word that a document has finds it: what is written around it means nothing.
        read = unicodedata.normalize("NFKC", text[: full_text.LONGEST]).lower()
        by_words = {hit.row for hit in found.hits if hit.text_rank is not None}
        assert by_words <= {n for n in range(40) if re.search(f"{'red' if n % 2 else 'blue'}|lamp|{n}", read)}, text[
            :50
        ]
    assert refused >= 4


def test_a_hostile_value_is_equal_to_none(asked: tuple[Workspace, Searcher], monkeypatch: pytest.MonkeyPatch) -> None:
    _, searcher = asked
    for number, value in enumerate(strings()):
        with counted(monkeypatch) as work:
            found = searcher.search("words", Item(text=PLAIN), where=[Condition("room", value)])
        assert found.hits == [] and found.matching == 0
        assert work.filters <= {"row < 0"} and work.queries <= 1
        if number % 10:
            continue
        both = searcher.search("words", Item(text=PLAIN), where=[Condition("room", value), Condition("room", "r1")])
        assert both.matching == 13
        counts = searcher.counts("words", [Condition("room", value)])
        assert counts == {"room": {"r0": 15, "r1": 13, "r2": 13}}


def test_a_hostile_field_modality_or_name_is_refused_before_the_engine_is_asked(
    asked: tuple[Workspace, Searcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, searcher = asked
    before = sorted(path.name for path in workspace.root.rglob("*"))
    lamp = Item(text=PLAIN)
    for word in strings():
        with counted(monkeypatch) as work:
            for ask in (
                lambda word=word: searcher.search("words", lamp, where=[Condition(word, "r1")]),
                lambda word=word: searcher.counts("words", [Condition(word, "r1")]),
                lambda word=word: searcher.search("words", lamp, modality=word),
                lambda word=word: searcher.counts("words", modality=word),
                lambda word=word: searcher.search(word, lamp),
                lambda word=word: searcher.search_many(word, [lamp, lamp]),
            ):
                with pytest.raises(WorkbenchError) as refused:
                    ask()
                assert len(refused.value.message) < 400
        assert work.queries == 0 and work.filters == set()
    assert sorted(path.name for path in workspace.root.rglob("*")) == before
    assert len(searcher.search("words", lamp, top=100).hits) == 41
