"""Searching only among documents whose metadata meets conditions, whatever is written in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import png_bytes
from tests.index.test_build import FastToy
from tests.index.toys import ToyEmbedder, make_collection
from workbench.collection.store import Item
from workbench.errors import WorkbenchError
from workbench.index import table
from workbench.index.build import build_index
from workbench.index.fields import MOST_VALUES, Condition
from workbench.index.registry import get_index
from workbench.index.search import Searcher
from workbench.workspace import Workspace

HOSTILE = [
    "it's",
    "' OR '1'='1",
    "'; DROP TABLE words; --",
    'quo"te',
    "a\\'b\\",
    "100%_[]*?",
    "row IN (1)",
    "{{value}} ${alert(1)}",
    "naïve 漢字 \u202e",
    "tab\tand\nline",
    "<b>bold</b>",
]
ASK = Item(text="a lamp")


def described(count: int = 60) -> list[Item]:
    """Texts with a language, a year written as text, a price and a hostile word each."""
    return [
        Item(
            text=f"document {number}",
            meta={
                "language": ("en", "de", "fr")[number % 3],
                "year": str(1990 + number % 20),
                "price": number / 4,
                "new": number % 2 == 0,
                "strange ' \" name = ": HOSTILE[number % len(HOSTILE)],
            },
        )
        for number in range(count)
    ]


@pytest.fixture
def find(workspace: Workspace, toy: ToyEmbedder, searcher: Searcher) -> Callable[..., list[int]]:
    make_collection(workspace, "words", described())
    build_index(workspace, "words", "words", "toy", embedder=toy)

    def rows(*where: Condition, **options: object) -> list[int]:
        return sorted(hit.row for hit in searcher.search("words", ASK, top=100, where=where, **options).hits)  # type: ignore[arg-type]

    return rows


def of(condition: Callable[[int], bool]) -> list[int]:
    return [number for number in range(60) if condition(number)]


def test_a_text_must_be_equal_and_a_number_within_its_ends(find: Callable[..., list[int]]) -> None:
    assert find(Condition("language", "de")) == of(lambda n: n % 3 == 1)
    assert find(Condition("year", None, 1995, 1996.5)) == of(lambda n: n % 20 in (5, 6))
    assert find(Condition("price", None, 14.0)) == of(lambda n: n >= 56)
    assert find(Condition("price", "2")) == [8], "2 and 2.0 are the same number"
    assert find(Condition("new", "true")) == of(lambda n: n % 2 == 0)
    assert find(Condition("language", "DE")) == []


def test_conditions_of_several_fields_must_all_be_met_and_of_one_field_any(find: Callable[..., list[int]]) -> None:
    german, french = Condition("language", "de"), Condition("language", "fr")
    assert find(german, french) == of(lambda n: n % 3 > 0)
    assert find(german, french, Condition("year", None, high=1990)) == of(lambda n: n % 3 > 0 and n % 20 == 0)
    assert find(german, Condition("price", None, 100)) == []


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_values_are_only_values(find: Callable[..., list[int]], word: str) -> None:
    expected = [n for n in range(60) if HOSTILE[n % len(HOSTILE)].strip() == word.strip()]
    assert find(Condition("strange ' \" name = ", word)) == expected
    assert find(Condition("language", word)) == []
    with pytest.raises(WorkbenchError, match="has a field"):
        find(Condition(word, "x"))


def test_the_filter_works_with_a_modality_a_smaller_size_and_a_reranker(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    pictures = [Item(image=png_bytes((n, 0, 0)), meta={"language": "de"}) for n in range(6)]
    make_collection(workspace, "mixed", [*described(30), *pictures])
    build_index(workspace, "mixed", "mixed", "toy", embedder=toy)
    german = [Condition("language", "de")]
    found = searcher.search("mixed", ASK, top=100, where=german, modality="image")
    assert sorted(hit.row for hit in found.hits) == list(range(30, 36))
    assert found.matching == 16 and found.as_json()["matching"] == 16
    small = searcher.search("mixed", ASK, top=100, where=german, dimension=8, modality="text")
    assert sorted(hit.row for hit in small.hits) == list(range(1, 30, 3))
    judged = searcher.search("mixed", ASK, where=german, modality="text", reranker="toy-reranker")
    assert [hit.row for hit in judged.hits] == list(range(28, 0, -3)), "the toy prefers high numbers"
    assert searcher.search("mixed", ASK).matching is None


@pytest.mark.parametrize("listed", [0, 5000])
@pytest.mark.parametrize("share", [2, 50])
def test_the_best_of_the_matching_are_found_however_many_match(
    workspace: Workspace, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, listed: int, share: int
) -> None:
    monkeypatch.setattr(table, "APPROXIMATE_FROM_ROWS", 1000)
    monkeypatch.setattr(table, "LISTED_ROWS", listed)
    documents = [Item(text=f"document {n}", meta={"part": str(n % share)}) for n in range(1500)]
    make_collection(workspace, "many", documents)
    fast = FastToy(32)
    build_index(workspace, "many", "many", "toy", embedder=fast)  # type: ignore[arg-type]
    opened = table.connect(workspace).open_table(get_index(workspace, "many").table)
    vectors = np.stack(opened.to_arrow().sort_by("row")["vector"].to_numpy())
    order = np.argsort(-(vectors @ fast.vector(ASK)), kind="stable")
    expected = [int(row) for row in order if row % share == 1][:10]
    hits = searcher.search("many", ASK, where=[Condition("part", "1")]).hits
    assert all(hit.row % share == 1 for hit in hits)
    assert len(set(expected) & {hit.row for hit in hits}) >= (10 if listed else 8)


def test_the_card_names_the_fields_worth_filtering_by(workspace: Workspace, toy: ToyEmbedder) -> None:
    documents = described()
    documents = [
        Item(text=d.text, meta={**d.meta, "title": f"title {n}", "always": "same", "half": "yes"} if n % 2 else d.meta)
        for n, d in enumerate(documents)
    ]
    make_collection(workspace, "words", documents)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    fields = {one["name"]: one for one in get_index(workspace, "words").fields}
    assert list(fields) == ["always", "half", "language", "new", "price", "strange ' \" name = ", "year"]
    assert fields["language"]["values"] == {"de": 20, "en": 20, "fr": 20}
    assert (fields["year"]["kind"], fields["year"]["low"], fields["year"]["high"]) == ("number", 1990, 2009)
    assert fields["year"]["whole"] and not fields["price"]["whole"]
    assert fields["half"]["values"] == {"yes": 30}


def test_a_text_with_many_values_is_not_offered_but_can_be_asked_for(
    workspace: Workspace, toy: ToyEmbedder, searcher: Searcher
) -> None:
    documents = [Item(text=f"document {n}", meta={"author": f"author {n // 2}"}) for n in range(4 * MOST_VALUES)]
    make_collection(workspace, "words", documents)
    build_index(workspace, "words", "words", "toy", embedder=toy)
    assert get_index(workspace, "words").fields == []
    found = searcher.search("words", ASK, where=[Condition("author", "author 7")])
    assert sorted(hit.row for hit in found.hits) == [14, 15]


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("lang=de", Condition("lang", "de")),
        ("year=1990..2000", Condition("year", None, 1990, 2000)),
        ("year= ..2000", Condition("year", None, high=2000)),
        ("price=1,5..", Condition("price", None, 1.5)),
        ("path=../x", Condition("path", "../x")),
        ("a=b=c", Condition("a", "b=c")),
        ("dots=..", Condition("dots", "..")),
    ],
)
def test_a_condition_is_read_from_words(words: str, condition: Condition) -> None:
    assert Condition.read(words) == condition


@pytest.mark.parametrize("words", ["", "lang", "=de", "lang=", " = "])
def test_what_is_no_condition_is_refused_in_words(words: str) -> None:
    with pytest.raises(WorkbenchError, match="COLUMN=VALUE"):
        Condition.read(words)


def test_the_command_line_filters(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from workbench import models
    from workbench.cli import app

    toy = ToyEmbedder()
    make_collection(workspace, "words", described())
    build_index(workspace, "words", "words", "toy", embedder=toy)
    monkeypatch.setattr(models, "load_embedder", lambda *_, **__: toy)
    monkeypatch.setattr(Searcher.__init__, "__kwdefaults__", {
        "load_embedder": lambda *_, **__: toy, "load_reranker": None,
    })  # fmt: skip
    asked = ["search", "words", "--text", "a lamp", "--workspace", str(workspace.root), "--json", "--top", "100"]
    given = CliRunner().invoke(app, [*asked, "--where", "language=de", "--where", "year=1990..1999"])
    answer = json.loads(given.stdout)
    assert answer["matching"] == len(answer["hits"]) == len(of(lambda n: n % 3 == 1 and n % 20 < 10))
    refused = CliRunner().invoke(app, [*asked, "--where", "color=red"])
    assert refused.exit_code == 1 and "color" in refused.stderr
