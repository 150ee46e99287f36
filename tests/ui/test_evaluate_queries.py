"""Gained and lost, and Where, without a browser: what is shown, what a press does on disk, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

from tests.ui.evaluated import HELD, document_id, make_evaluated, query_id
from tests.ui.small import NASTY
from workbench import jobs
from workbench.cli_words import evaluation_words
from workbench.collection.named import Named
from workbench.collection.review import take_back
from workbench.collection.review_sent import judged_now, sent
from workbench.collection.store import open_collection, remove_collection
from workbench.errors import WorkbenchError
from workbench.evaluation import groups
from workbench.evaluation.results import load_evaluation
from workbench.index.registry import IndexCard
from workbench.ui.evaluate import queries as queries_part
from workbench.ui.evaluate import where
from workbench.ui.evaluate.compared import Compared
from workbench.ui.evaluate.tab import EvaluateTab
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.search import in_hand
from workbench.ui.search import tab as frame
from workbench.ui.search.tab import SearchTab
from workbench.workspace import Workspace, open_workspace

PLACE = Place(tab="evaluate", evaluation="made", part="queries")


class Pressed:
    """What a button or a select of our HTML sends."""

    def __init__(self, **data: str) -> None:
        self._data = data


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = open_workspace(tmp_path_factory.mktemp("evaluated") / "workspace")
    make_evaluated(workspace)
    make_evaluated(workspace, models=("starter",), name="alone")
    return workspace


@pytest.fixture
def copied(evaluated: Workspace, workspace: Workspace) -> Workspace:
    """A copy that a test may change."""
    import shutil

    shutil.copytree(evaluated.root, workspace.root, dirs_exist_ok=True)
    return workspace


def tab_of(workspace: Workspace) -> EvaluateTab:
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("evaluate") as opened:
            return EvaluateTab(page, opened)


def part(tab: EvaluateTab, name: str) -> Any:
    return next(one for one in tab.parts if one.name == name)


def listed(html: str) -> list[str]:
    """The ids of the queries of a list, as the page would send them."""
    import html as escaping

    return [escaping.unescape(found) for found in re.findall(r'data-query="([^"]*)"', html)]


def open_first(tab: EvaluateTab, place: Place = PLACE) -> tuple[Any, Place, str]:
    """Open the query at the top of the lists; returns the part, the place there, and the panel."""
    queries = part(tab, "queries")
    first = listed(tab.refresh(place)[queries.changes])[0]
    changed = queries.use_changes(place, Pressed(act="open", query=first, shown="6"))
    return queries, changed[tab.page.place], changed[queries.panel]


def test_the_queries_that_changed_most_are_buttons_and_more_of_them_can_be_shown(evaluated: Workspace) -> None:
    tab = tab_of(evaluated)
    queries = part(tab, "queries")
    drawn = tab.refresh(PLACE)[queries.changes]
    gained, lost = drawn.split("Lost most")
    assert len(listed(gained)) == len(listed(lost)) == 6
    assert set(listed(drawn)) <= {query_id(number) for number in range(HELD)}
    more = queries.use_changes(PLACE, Pressed(act="more", shown="6"))[queries.changes]
    assert len(listed(more)) > 12 and 'value="18"' in more
    assert listed(more)[0] == listed(drawn)[0]


def test_models_and_direction_are_chosen_by_name_and_kept_in_the_address(evaluated: Workspace) -> None:
    tab = tab_of(evaluated)
    queries = part(tab, "queries")
    chosen = Pressed(act="choose", before="run:tuned", after="starter", direction="image->text")
    changed = queries.choose(PLACE, chosen)
    place = Place.read(changed[tab.page.place].write())
    evaluation = load_evaluation(evaluated, "made")
    assert Compared.read(evaluation, place.compared) == Compared("run:tuned", "starter", "image->text")
    assert set(listed(changed[queries.changes])) <= {document_id(number) for number in range(HELD)}
    assert Compared.read(evaluation, "7-8-9") == Compared("starter", "run:tuned", "all")
    for unknown in ("run:other", "../.."):
        with pytest.raises(WorkbenchError, match="no such models or direction"):
            queries.choose(PLACE, Pressed(act="choose", before="starter", after=unknown, direction="all"))


def test_an_open_query_shows_both_rankings_with_what_is_right_and_what_moved(evaluated: Workspace) -> None:
    tab = tab_of(evaluated)
    _, place, panel = open_first(tab)
    before, after = panel.split('id="ranking-after"')
    assert before.count('<li class="answer') >= 10 and after.count('<li class="answer') == 10
    assert '<li class="answer right">' in after and "Right" in after
    assert "moved good" in after and "unseen" in after
    assert Place.read(place.write()) == place and place.query.startswith("../q/")
    assert NASTY not in panel and "/media/things/corpus/" in panel
    again = tab.refresh(place)[part(tab, "queries").panel]
    assert re.sub(r"\?.*?\"", "", again) == re.sub(r"\?.*?\"", "", panel), "a refresh shows the same"


def test_only_ids_of_the_evaluation_are_taken_from_the_browser(copied: Workspace) -> None:
    tab = tab_of(copied)
    queries = part(tab, "queries")
    with pytest.raises(WorkbenchError, match="not in the evaluation"):
        queries.use_changes(PLACE, Pressed(act="open", query="../../etc/passwd"))
    queries, place, _ = open_first(tab)
    trained = document_id(HELD + 1)
    before = open_collection(copied, "things").fingerprint
    for target, verdict in ((trained + "x", "match"), (document_id(1), "drop"), ("", "match")):
        with pytest.raises(WorkbenchError, match="Reload the page"):
            queries.use_panel(place, Pressed(act="judge", target=target, verdict=verdict))
    assert open_collection(copied, "things").fingerprint == before
    assert tab.refresh(PLACE.at(query="of another evaluation"))[queries.panel] == ""


def test_an_answer_is_marked_and_taken_back_there_and_then(copied: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tab = tab_of(copied)
    queries, place, panel = open_first(tab)
    right = document_id(int(re.findall(r"\d+", place.query)[0]))
    pair = (place.query, right)
    assert "its numbers are from before" not in tab.refresh(place)[queries.again]
    changed = queries.use_panel(place, Pressed(act="judge", target=right, verdict="not-a-match"))
    judged = judged_now(open_collection(copied, "things"), queries={place.query})
    assert judged[pair].score == 0.0 and "Marked as not an answer." in changed[queries.panel]
    assert "Take back" in changed[queries.panel] and "its numbers are from before" in changed[queries.again]
    changed = queries.use_panel(place, Pressed(act="judge", target=right, verdict="undo"))
    assert judged_now(open_collection(copied, "things"), queries={place.query})[pair].score == 1.0
    assert changed[queries.again] == "", "all is as it was evaluated"
    other = next(one for one in sorted(listed_targets(panel)) if one != right)
    queries.use_panel(place, Pressed(act="judge", target=other, verdict="match"))
    assert judged_now(open_collection(copied, "things"), queries={place.query})[place.query, other].score == 1.0

    started: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "start", lambda workspace, work, name, spec: started.append(spec))
    monkeypatch.setattr("workbench.ui.evaluate.again.check_embedders", lambda *_: None)
    told = tab.evaluate_again(place, Pressed(act="again"))[queries.again]
    assert [(spec["collection"], spec["models"]) for spec in started] == [("things", ["starter", "run:tuned"])]
    assert started[0]["name"] not in ("made", "alone") and started[0]["name"] in told


def test_an_evaluation_of_before_names_the_one_that_came_after_it(copied: Workspace) -> None:
    tab = tab_of(copied)
    queries, place, panel = open_first(tab)
    other = sorted(listed_targets(panel) - {document_id(int(re.findall(r"\d+", place.query)[0]))})[0]
    changed = queries.use_panel(place, Pressed(act="judge", target=other, verdict="match"))
    assert "evaluate-again-start" in changed[queries.again]
    make_evaluated(copied, name="after")
    told = tab.refresh(place)[queries.again]
    assert "evaluated again, as “after”" in told and "evaluate-again-start" not in told
    assert tab.refresh(PLACE.at(evaluation="after"))[queries.again] == ""


def listed_targets(panel: str) -> set[str]:
    import html as escaping

    return {escaping.unescape(found) for found in re.findall(r'data-target="([^"]*)"', panel)}


def test_a_query_goes_to_review_with_what_nobody_has_judged_and_can_be_taken_out(copied: Workspace) -> None:
    tab = tab_of(copied)
    queries, place, panel = open_first(tab)
    changed = queries.use_panel(place, Pressed(act="send"))
    case = sent(open_collection(copied, "things"))[0]
    right = document_id(int(re.findall(r"\d+", place.query)[0]))
    assert (case.query, case.positives) == (place.query, [right])
    assert {one.document for one in case.candidates} == listed_targets(panel) - {right}
    assert "In review" in changed[queries.panel] and "Sent to review" in changed[queries.panel]
    moved = queries.use_panel(place, Pressed(act="open-review"))[tab.page.place]
    assert (moved.tab, moved.part, moved.collection) == ("data", "review", "things")
    queries.use_panel(place, Pressed(act="unsend"))
    assert sent(open_collection(copied, "things")) == []


def test_a_picture_that_asks_for_captions_is_judged_as_the_pair_that_it_is(copied: Workspace) -> None:
    tab = tab_of(copied)
    backward = Compared("starter", "run:tuned", "image->text").write(load_evaluation(copied, "made"))
    queries, place, panel = open_first(tab, PLACE.at(compared=backward))
    caption = next(iter(sorted(listed_targets(panel) - {query_id(int(re.findall(r"\d+", place.query)[0]))})))
    queries.use_panel(place, Pressed(act="judge", target=caption, verdict="match"))
    assert judged_now(open_collection(copied, "things"), queries={caption})[caption, place.query].score == 1.0
    queries.use_panel(place, Pressed(act="send"))
    assert {case.query for case in sent(open_collection(copied, "things"))} <= listed_targets(panel)
    take_back(copied, "things", (caption, place.query))


def test_a_query_is_sent_to_search_with_an_index_of_its_collection(
    copied: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def card(name: str, collection: str, model: str) -> IndexCard:
        values: dict[str, Any] = dict.fromkeys(IndexCard.__dataclass_fields__, 1)
        words = {"name": name, "collection": collection, "model": model, "modalities": {}, "kind": "exact"}
        return IndexCard(**{**values, **words})

    cards = [card("b", "things", "starter"), card("t", "things", "run:tuned"), card("o", "other", "run:tuned")]
    monkeypatch.setattr(queries_part, "list_indexes", lambda _: cards)
    tab = tab_of(copied)
    queries, place, _ = open_first(tab)
    moved = queries.use_panel(place, Pressed(act="search"))[tab.page.place]
    assert (moved.tab, moved.collection, moved.index, moved.run) == ("search", "things", "t", "tuned")
    assert Place.read(moved.write()).asked == f"things:queries:{place.query}"
    monkeypatch.setattr(queries_part, "list_indexes", lambda _: cards[2:])
    assert queries.use_panel(place, Pressed(act="search"))[tab.page.place].index == ""


def test_without_its_collection_only_the_ids_are_left(copied: Workspace) -> None:
    remove_collection(copied, "things")
    tab = tab_of(copied)
    queries, place, panel = open_first(tab)
    assert "has been removed since" in panel and 'data-act="judge"' not in panel and 'data-act="send"' not in panel
    assert tab.refresh(place)[queries.again] == ""
    with pytest.raises(WorkbenchError, match="has been removed"):
        queries.use_panel(place, Pressed(act="judge", target=document_id(1), verdict="match"))


def test_one_model_alone_has_nothing_to_gain_and_its_groups_are_still_shown(evaluated: Workspace) -> None:
    tab = tab_of(evaluated)
    drawn = tab.refresh(PLACE.at(evaluation="alone"))
    assert "Evaluate two models" in drawn[part(tab, "queries").choice]
    assert drawn[part(tab, "queries").changes] == ""
    tables = tab.refresh(PLACE.at(evaluation="alone", part="where"))[part(tab, "where").tables]
    assert "picture" in tables and "Verdict" not in tables


def test_groups_have_a_verdict_and_say_that_they_are_small(evaluated: Workspace) -> None:
    tab = tab_of(evaluated)
    where_part = part(tab, "where")
    drawn = tab.refresh(PLACE.at(part="where"))
    rows = load_evaluation(evaluated, "made")["slices"]
    assert (
        f"{groups.looked_at(rows)} groups" in drawn[where_part.choice] and "by chance alone" in drawn[where_part.choice]
    )
    assert "What answers it" in drawn[where_part.tables] and "“colour” of the query" in drawn[where_part.tables]
    assert "small: 8 queries" in drawn[where_part.tables] and "small: 32" not in drawn[where_part.tables]
    number = str(list(groups.families(rows)).index("query: colour"))
    kept = where_part.choose(PLACE.at(part="where"), Pressed(act="choose", family=number))
    assert "“colour” of the query" in kept[where_part.tables] and "What answers it" not in kept[where_part.tables]
    assert tab.refresh(kept[tab.page.place])[where_part.tables] == kept[where_part.tables]
    assert "What answers it" in where_part.choose(PLACE, Pressed(act="choose", family="99"))[where_part.tables]


def test_three_models_have_a_line_each() -> None:
    score = {"family": "seen", "value": "new", "queries": 40, "ndcg@10": 0.5, "interval": [0.4, 0.6], "small": False}
    compared = {"difference": 0.1, "interval": [0.0, 0.2], "verdict": "no real change"}
    rows = [{**score, "model": "a"}, *({**score, "model": one, "comparison": compared} for one in ("run:b", "c"))]
    table = where.table("seen", rows, ["a", "run:b", "c"])
    assert "<td>b</td>" in table and "<td>c</td>" in table and table.count("No real change") == 2
    assert "Whether an answer was seen in training" in table


def row(value: str, difference: float, verdict: str) -> dict[str, Any]:
    compared = {"difference": difference, "interval": [difference - 0.1, difference + 0.1], "verdict": verdict}
    return {"family": "query: topic", "value": value, "model": "b", "queries": 40, "comparison": compared}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("sea", 0.3, "no real change"), row("land", -0.4, "no real change")], []),
        ([row("sea", 0.3, "better"), row("air", 0.2, "better"), row("land", -0.4, "no real change")], ["gained most"]),
        ([row("sea", 0.3, "better"), row("land", -0.4, "worse")], ["gained most", "lost most"]),
    ],
)
def test_the_terminal_tells_of_groups_only_beyond_chance(rows: list[dict[str, Any]], said: list[str]) -> None:
    told = evaluation_words({"collection": "c", "evaluation": "e", "results": [], "slices": rows})
    assert [words for words in ("gained most", "lost most") if words in told] == said
    if said:
        assert "b gained most where “topic” of the query is sea: +0.300 [+0.200, +0.400] (40 queries)" in told


@pytest.fixture
def searching(copied: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SearchTab]:
    """`searching(cards)`: the Search tab over these indexes."""

    def make(*cards: IndexCard) -> SearchTab:
        for module in (in_hand, frame):
            monkeypatch.setattr(module, "list_indexes", lambda _: list(cards))
        with gr.Blocks():
            page = Page(copied)
            with page.tabs, page.tab("search") as opened:
                return SearchTab(page, opened)

    return make


def index_of(collection: str, name: str) -> IndexCard:
    return IndexCard(
        name=name, table="t", collection=collection, collection_fingerprint="", model="starter", fingerprint="", rows=3,
        dimension=300, model_dimension=300, precision="float32", kind="exact", recall=1.0, bytes=1, seconds=1.0,
        created=1.0, modalities={"text": 3},
    )  # fmt: skip


ASKED = Place(tab="search", collection="things", asked=Named("things", "queries", query_id(3)).write())


def test_without_an_index_of_its_collection_search_says_so_with_the_button_that_makes_one(
    searching: Callable[..., SearchTab], monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = searching(index_of("other", "other"))
    drawn = tab.refresh(ASKED)
    assert (
        "There is no index of “things” yet" in drawn[tab.ask.asked.view] and "asked-make" in drawn[tab.ask.asked.view]
    )
    assert drawn[tab.ask.main].visible is False
    assert tab.ask.search_asked(ASKED, "", "", "") is None
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "start", lambda workspace, work, name, spec: started.append(spec))
    place = tab.use_view(ASKED, Pressed(act="make"))[tab.page.place]
    assert [spec["collection"] for spec in started] == ["things"] and place.asked == ASKED.asked
    away = tab.use_view(ASKED, Pressed(act="put-away"))
    assert away[tab.page.place].asked == "" and away[tab.ask.main].visible is True


def test_the_item_of_the_address_is_asked_and_gives_way_to_what_is_asked_by_hand(
    searching: Callable[..., SearchTab], monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = searching(index_of("other", "other"), index_of("things", "mine"))
    asked, document = ASKED, ASKED.at(asked=Named("things", "corpus", document_id(3)).write())
    drawn = tab.refresh(asked)
    assert "thing 3" in drawn[tab.ask.asked.view]
    opening, other = drawn[tab.ask.opening], tab.refresh(document)[tab.ask.opening]
    queries: list[tuple[str, Any]] = []

    def ask(index: str, query: Any, **_: Any) -> Any:
        queries.append((index, query))
        raise WorkbenchError("stop here")

    monkeypatch.setattr(tab.ask.searcher, "search", ask)
    options = (0.0, None, "any", "", "", 50, 10, "", "")
    for press in (
        lambda: tab.ask.search_asked(ASKED, opening, "", ""),
        lambda: tab.ask.search(ASKED, "text", " ", None, None, None, *options),
        lambda: tab.ask.search(ASKED, "text", "else", None, None, None, *options),
        lambda: tab.ask.search_asked(document, other, "", ""),
    ):
        with pytest.raises(WorkbenchError, match="stop here"):
            press()
    assert [index for index, _ in queries] == ["mine"] * 4
    assert [query.text for _, query in queries[:3]] == ["thing 3", "thing 3", "else"]
    assert queries[0][1].id == query_id(3)
    assert queries[3][1].image and queries[3][1].id == "", "a document that asks is a query of its own"
    assert tab.ask.search_asked(ASKED.at(asked=""), opening, "", "") is None, "it was put away meanwhile"
    assert tab.ask.search_asked(ASKED, opening, opening, "") is None, "it has been answered"


@pytest.mark.parametrize(
    "told", ["things:queries:gone", "things:nothing:3", "things:queries:", "../../etc:queries:passwd"]
)
def test_what_is_not_in_the_collection_is_not_asked(
    searching: Callable[..., SearchTab], monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    tab = searching(index_of("things", "mine"))
    drawn = tab.refresh(ASKED.at(asked=told))[tab.ask.asked.view]
    assert "asked-put-away" in drawn and "passwd" not in drawn
    monkeypatch.setattr(tab.ask.searcher, "search", lambda *_, **__: pytest.fail("something was searched for"))
    assert not tab.refresh(ASKED.at(asked=told)).get(tab.ask.opening)
    assert tab.ask.search_asked(ASKED.at(asked=told), f"mine@1.0\n{told}\n\n", "", "") is None
    removed = ASKED.at(asked="gone:queries:1")
    assert "There is no collection named “gone”" in tab.refresh(removed)[tab.ask.asked.view]
    assert "thing 3" in tab.refresh(ASKED.at(collection="other"))[tab.ask.asked.view], "it names its own collection"


def test_the_address_takes_any_id_and_no_endless_one() -> None:
    place = Place(tab="search", asked=f"queries:{query_id(1)}\n ☃", query=query_id(2))
    assert Place.read(place.write()) == place
    assert Place.read(f"tab=search&asked=queries:{'x' * 2000}&compared=../1").write() == "tab=search"
    assert json.dumps(Place.read(place.write()).asked)
