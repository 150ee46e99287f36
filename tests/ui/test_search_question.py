"""The Search tab without a browser: what an address asks, pages, the panel, two ways side by side, thumbs enough."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from tests.index.toys import ToyEmbedder, ToyReranker, make_collection
from workbench.collection.feedback import count_feedback, give_feedback
from workbench.collection.named import Named
from workbench.collection.store import Item, open_collection
from workbench.errors import WorkbenchError
from workbench.index.build import build_index
from workbench.index.preference import Pipeline, Score, preference, score_of
from workbench.index.question import LONGEST_WORDS, Question
from workbench.index.registry import get_index
from workbench.index.results import SearchResult
from workbench.index.saved import saved_searches
from workbench.index.search import Searcher
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.ui.search import around, feedback_views, filter_views, side_views
from workbench.ui.search.side import propose
from workbench.ui.search.tab import SearchTab
from workbench.workspace import Workspace

OPTIONS = (0.0, None, "any", "", "", 50, 10, "", "")
NASTY = "<script>alert(1)</script> \"' & ☃"


class Pressed(gr.EventData):
    """A press on a button of ours."""

    def __init__(self, **said: str) -> None:
        self._data = said


@pytest.fixture
def documents(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    """Thirty texts in a toy's index, which the page searches with the toy; the first text is a script."""
    toy = ToyEmbedder()
    items = [Item(text=NASTY if not row else f"document {row}", meta={"part": f"p{row % 3}"}) for row in range(30)]
    found = make_collection(workspace, "words", items)
    build_index(workspace, "words", "words", "toy", embedder=toy)

    def load(_: Workspace, reference: str, **__: Any) -> Any:
        return ToyReranker() if "reranker" in reference else toy

    whole = Searcher.__init__
    monkeypatch.setattr(
        Searcher, "__init__", lambda self, space: whole(self, space, load_embedder=load, load_reranker=load)
    )
    return found


@pytest.fixture
def tab(workspace: Workspace, documents: list[Item], monkeypatch: pytest.MonkeyPatch) -> SearchTab:
    # A toast travels with an event, and here there is none.
    monkeypatch.setattr("workbench.ui.search.saved.tell", lambda *_, **__: None)
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("search") as opened:
            return SearchTab(page, opened)


def search(tab: SearchTab, text: str, place: Place | None = None, options: tuple[Any, ...] = OPTIONS) -> dict[Any, Any]:
    return tab.ask.search(place or Place(tab="search", index="words"), "text", text, None, None, None, *options)


def key_of(drawn: str) -> str:
    return drawn.partition('data-asked="')[2].partition('"')[0]


def shown(drawn: str) -> list[str]:
    """The ids of the results, in order."""
    return re.findall(r'data-act="open" data-asked="[^"]*" data-document="([^"]*)"', drawn)


def press(tab: SearchTab, found: dict[Any, Any], act: str, **said: str) -> dict[Any, Any] | None:
    key = key_of(found[tab.ask.results])
    return tab.ask.use_results(found[tab.page.place], None, Pressed(act=act, asked=key, **said))


def test_an_address_opened_anew_asks_the_same(tab: SearchTab) -> None:
    options = (0.0, 200, "text", "16", "", 20, 5, "", '[["part","p1"]]')
    found = search(tab, NASTY, options=options)
    place = Place.read(found[tab.page.place].write())
    assert place.q == NASTY and Question.read(place.how).count == 5
    drawn = tab.refresh(place)
    assert drawn[tab.ask.opening] == found[tab.ask.done]
    assert (drawn[tab.ask.options.dimension].value, drawn[tab.ask.options.count]) == ("16", 5)
    assert '<option value="p1" selected>' in drawn[tab.ask.options.filters]
    again = tab.ask.search_asked(place, drawn[tab.ask.opening], "", "")
    assert again is not None and again[tab.ask.fields.text].value == NASTY
    first, second = (shown(one[tab.ask.results]) for one in (found, again))
    assert first == second and len(first) == 5
    assert again[tab.page.place] == place
    assert "<script>" not in again[tab.ask.results]
    assert tab.ask.search_asked(place, drawn[tab.ask.opening], found[tab.ask.done], "") is None


def test_a_text_too_long_for_an_address_is_searched_and_cannot_be_saved(tab: SearchTab) -> None:
    found = search(tab, "long " * LONGEST_WORDS)
    assert found[tab.page.place].q == "" and "search-save" not in found[tab.ask.results]
    assert found[tab.ask.opening] == "", "nothing is asked again when the tab is drawn"
    with pytest.raises(WorkbenchError, match="can be saved"):
        press(tab, found, "save")


def test_pages_follow_one_another_and_end(tab: SearchTab) -> None:
    found = search(tab, "document 4")
    assert "search-previous" not in found[tab.ask.results]
    for offset, more in (("10", True), ("20", False)):
        turned = press(tab, found, "turn", offset=offset)
        assert turned is not None and f"Results {int(offset) + 1} to {int(offset) + 10}" in turned[tab.ask.results]
        assert ("search-next" in turned[tab.ask.results]) is more and "search-previous" in turned[tab.ask.results]
        assert Question.read(turned[tab.page.place].how).offset == int(offset)
    past = press(tab, found, "turn", offset="30")
    assert past is not None and "There are no more results" in past[tab.ask.results]


def test_a_result_opens_with_its_neighbours_and_asks_for_more_and_less_like_it(
    tab: SearchTab, documents: list[Item]
) -> None:
    found = search(tab, "document 4")
    opened = press(tab, found, "open", document=documents[0].id)
    assert opened is not None and set(opened) == {tab.ask.panel.view}
    panel = opened[tab.ask.panel.view]
    assert "&lt;script&gt;" in panel and "<script>" not in panel and panel.count('id="near-') == 6
    assert "item-explain" in panel and "Nobody has judged it yet" in panel
    more = press(tab, found, "more", document=documents[0].id)
    assert more is not None and more[tab.page.place].asked == Named("words", "corpus", documents[0].id).write()
    assert "asked-put-away" in more[tab.ask.asked.view] and more[tab.ask.panel.view] == ""
    less = press(tab, found, "less", document=documents[4].id)
    assert less is not None and "search-liked" in less[tab.ask.results]
    assert Question.read(less[tab.page.place].how).unlike.endswith(documents[4].id)
    liked = press(tab, less, "liked")
    assert liked is not None and Question.read(liked[tab.page.place].how) == Question()
    assert press(tab, found, "close") == {tab.ask.panel.view: ""} and press(tab, found, "mark") is None
    with pytest.raises(WorkbenchError, match="Search again first"):
        tab.ask.use_results(Place(), None, Pressed(act="open", asked="gone", document="x"))


def test_a_search_is_saved_opened_and_removed(tab: SearchTab, workspace: Workspace) -> None:
    found = search(tab, NASTY)
    saved = press(tab, found, "save")
    assert saved is not None and "<script>" not in saved[tab.ask.saved.view]
    (kept,) = saved_searches(workspace)
    opened = tab.use_view(Place(tab="search", part="side"), Pressed(act="open-saved", saved=kept.id))
    assert opened[tab.page.place].q == NASTY and opened[tab.ask.opening] == found[tab.ask.done]
    assert tab.use_view(Place(tab="search"), Pressed(act="remove-saved", saved=kept.id)) == {tab.ask.saved.view: ""}


def test_what_is_typed_is_searched_for_only_as_words(tab: SearchTab) -> None:
    place = Place(tab="search", index="words")
    rest = (None, None, None, *OPTIONS)
    assert tab.ask.search_live(place, "text", "  ", *rest) is None
    assert tab.ask.search_live(place, "mixed", "tea", *rest) is None
    assert tab.ask.search_live(place, "text", "tea", *rest) is not None


def test_choices_say_how_many_documents_they_leave(tab: SearchTab, workspace: Workspace) -> None:
    card = get_index(workspace, "words")
    assert filter_views.counts_of(card, None) == [["search-filter-0", "p0 (10)", "p1 (10)", "p2 (10)"]]
    found = search(tab, "tea", options=(*OPTIONS[:2], "image", *OPTIONS[3:]))
    assert found[tab.ask.options.counts] == [["search-filter-0", "p0 (0)", "p1 (0)", "p2 (0)"]]


def test_thumbs_are_counted_and_enough_of_them_lead_to_training(workspace: Workspace, documents: list[Item]) -> None:
    for row in range(3):
        give_feedback(
            workspace, "words", Item(text=f"q {row}"), documents[row].id, "up", by="me", model="toy", when=row
        )
    collection = open_collection(workspace, "words")
    assert count_feedback(collection, -1.0) == 3 and count_feedback(collection, 1.0) == 1
    assert feedback_views.again(0, False) == ""
    assert "search-train" not in feedback_views.again(49, False) and "From 50 on" in feedback_views.again(49, False)
    assert "search-train" in feedback_views.again(50, True)


def two(tab: SearchTab, blind: bool) -> dict[Any, Any]:
    chosen = ("words", "32", "", "words", "8", "")
    return tab.side.ask_both(Place(tab="search", index="words"), "document 4", blind, *chosen)


def test_two_ways_are_shown_with_what_differs(tab: SearchTab) -> None:
    shown = two(tab, False)
    drawn = shown[tab.side.results]
    assert "32 dimensions" in drawn and "8 dimensions" in drawn and "only here" in drawn and "side-pick" not in drawn
    place = Place.read(shown[tab.page.place].write())
    assert place.sides == "words::~words:8:" and place.q == "document 4"
    again = tab.side.ask_asked(place, tab.refresh(place.at(part="side"))[tab.side.opening], False, *("",) * 6)
    assert again is not None and again[tab.side.results].count("only here") == drawn.count("only here")
    with pytest.raises(WorkbenchError, match="Both sides are the same"):
        tab.side.ask_both(place, "tea", False, "words", "32", "", "words", "32", "")


@pytest.mark.parametrize("turned", [0, 1])
def test_blind_lists_are_shuffled_unnamed_and_told_after_the_pick(
    tab: SearchTab, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, turned: int
) -> None:
    monkeypatch.setattr("workbench.ui.search.side.secrets.randbelow", lambda _: turned)
    shown = two(tab, True)
    drawn, place = shown[tab.side.results], shown[tab.page.place]
    assert "dimensions" not in drawn and " ms" not in drawn and tab.side.score not in shown
    key = drawn.partition('data-key="')[2].partition('"')[0]
    told = tab.side.pick_list(place, Pressed(act="pick", key=key, pick="left"))
    assert told is not None
    assert f"You picked: words, read by toy · {(32, 8)[turned]} dimensions." in told[tab.side.results]
    score = preference(workspace, Pipeline("words"), Pipeline("words", 8))
    assert (score.first, score.second) == ((1, 0), (0, 1))[turned]
    assert "No difference shown yet" in told[tab.side.score]
    with pytest.raises(WorkbenchError, match="too long ago"):
        tab.side.pick_list(place, Pressed(act="pick", key="gone", pick="left"))


def test_the_score_is_said_in_words_with_its_interval() -> None:
    titles = ("the untouched", "the tuned")
    assert "No picks yet" in side_views.score(Score(0, 0, 0), titles)
    assert "No difference shown yet" in side_views.score(score_of(6, 14), titles)
    said = side_views.score(score_of(3, 17), titles)
    assert "Preferred" in said and "<b>the tuned</b> was picked in 17 of 20: 85 % [62 %, 97 %]" in said
    said = side_views.score(score_of(17, 3), titles)
    assert "<b>the untouched</b> was picked in 17 of 20: 85 % [62 %, 97 %]" in said


def test_what_is_proposed_differs(workspace: Workspace, documents: list[Item]) -> None:
    card = get_index(workspace, "words")
    other = replace(card, name="tuned", model="run:mine", created=card.created + 1)
    assert propose(card, [card, other], []) == (Pipeline("tuned"), Pipeline("words"))
    assert propose(card, [card], [("r", "run:r")]) == (Pipeline("words"), Pipeline("words", reranker="run:r"))
    assert propose(card, [card], [("r · cannot read texts", "r")]) == (Pipeline("words"), Pipeline("words", 16))


def test_lists_that_are_the_same_leave_nothing_to_pick(workspace: Workspace, tab: SearchTab) -> None:
    none = SearchResult("words", "toy", [], {}, 32)
    drawn = side_views.columns((none, none), ("a", "b"), workspace, tab.page.media, key="k")
    assert "nothing to pick" in drawn and "side-pick" not in drawn


def test_what_a_remote_model_reads_is_not_sent_to_it_letter_by_letter() -> None:
    near = SearchResult("words", "toy", [], {"encode": 5.0}, 32)
    assert 'data-took="5"' in around.head(near, Question(), 30)
    for far in (replace(near, model="remote:x"), replace(near, reranker="remote:x")):
        assert "data-took" not in around.head(far, Question(), 30)


@pytest.mark.parametrize("act", ["page", "", "drop"])
def test_an_act_that_is_none_does_nothing(tab: SearchTab, act: str) -> None:
    use: Callable[..., Any] = tab.ask.use_results
    assert use(Place(), None, Pressed(act=act)) is None
