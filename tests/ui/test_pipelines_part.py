"""The part “Is a second stage worth it” without a browser, and the floors beside the models."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from tests.evaluation.conftest import ToyEmbedder, make_collection
from workbench import jobs
from workbench.collection.store import Collection, Item
from workbench.errors import WorkbenchError
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.pipelines import keep_pipeline
from workbench.evaluation.results import change_evaluation
from workbench.job_folder import JobFolder, create_job_folder
from workbench.models.remote import add_remote
from workbench.ui.evaluate.tab import EvaluateTab
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.workspace import Workspace

PLACE = Place(tab="evaluate", evaluation="made", part="pipelines")
COUNT, HELD = 40, 30


class Pressed:
    """What a button of our HTML sends."""

    def __init__(self, **data: str) -> None:
        self._data = data


@pytest.fixture
def texts(workspace: Workspace) -> Collection:
    questions = [Item(text=f"who is w{n}", id=f"q{n:02}") for n in range(COUNT)]
    passages = [Item(text=f"here: w{n}", id=f"d{n:02}") for n in range(COUNT)]
    split = ["eval" if n >= COUNT - HELD else "train" for n in range(COUNT)]
    return make_collection(
        workspace, "texts", questions, passages, [(f"q{n:02}", f"d{n:02}", 1.0, split[n]) for n in range(COUNT)]
    )


@pytest.fixture
def tab(workspace: Workspace, texts: Collection) -> EvaluateTab:
    evaluate(workspace, "texts", ["starter"], name="made", load=lambda *_: ToyEmbedder("starter", noise=2.5))
    with gr.Blocks():
        page = Page(workspace)
        with page.tabs, page.tab("evaluate") as opened:
            return EvaluateTab(page, opened)


def part(tab: EvaluateTab) -> Any:
    return next(one for one in tab.parts if one.name == "pipelines")


def measured(reranker: str = "run:judge", created: float = 5.0, **changes: Any) -> dict[str, Any]:
    def row(stage: str, top: int, ndcg: float, time: float | None, gain: float | None) -> dict[str, Any]:
        compared = {"difference": gain, "interval": [0.01, 0.09], "verdict": "better", "p": 0.001}
        return {
            "stage": stage, "top": top, "metrics": {"ndcg@10": ndcg}, "interval": [ndcg - 0.1, ndcg + 0.1],
            "milliseconds": {"total": time}, "gain": compared if gain else None,
        }  # fmt: skip

    return {
        "collection": "texts", "model": "starter", "reranker": reranker, "fused": False, "direction": "all",
        "queries": 30, "documents": 30, "dimension": 16, "device": "cpu", "words": "Reranking the first 10 <helps>.",
        "rows": [row("embedder", 0, 0.7, 4.0, None), row("reranked", 10, 0.75, 40.0, 0.05),
                 row("reranked", 20, 0.76, None, 0.06)],
        "stop": {"top": 10}, "collection_fingerprint": "", "created": created, **changes,
    }  # fmt: skip


def test_without_a_measurement_it_says_what_a_second_stage_is_and_shows_no_plot(tab: EvaluateTab) -> None:
    drawn = tab.refresh(PLACE)
    pipelines = part(tab)
    assert "A reranker looks at the query and one document together" in drawn[pipelines.told]
    assert not drawn[pipelines.plot].visible and drawn[pipelines.column].visible
    assert drawn[pipelines.model].choices[0] == ("starter (evaluated here)", "")
    assert ("as uploaded", "all") in drawn[pipelines.direction].choices
    assert ("starter-reranker (offline)", "starter-reranker") in drawn[pipelines.reranker].choices


def test_what_was_measured_is_a_sentence_a_table_and_a_plot_the_newest_first(
    tab: EvaluateTab, workspace: Workspace
) -> None:
    keep_pipeline(workspace, "made", measured())
    keep_pipeline(workspace, "made", measured("run:late", created=6.0))
    drawn = tab.refresh(PLACE)
    told = drawn[part(tab).told]
    assert told.index("starter + late") < told.index("starter + judge")
    assert "Reranking the first 10 &lt;helps&gt;." in told and "<helps>" not in told
    assert "+0.050" in told and "[0.010, 0.090]" in told and "40 ms" in told and "Better" in told
    assert told.count('class="marked"') == 2, "where more does not help"
    assert "The collection had changed since this evaluation." in told
    lines = drawn[part(tab).plot].value["lines"]
    assert [line["label"] for line in lines] == ["starter + late", "starter + judge"]
    assert [line["marks"] for line in lines] == [["alone", "first 10"], []]
    assert lines[0]["x"] == [4.0, 40.0], "what was not timed has no place in time"
    assert drawn[part(tab).plot].value["ticks"] == [5, 10, 20]
    assert drawn[part(tab).plot].value["says"].endswith("Reranked, the first 10: 0.750 in 40 ms")


def test_directions_that_cannot_be_compared_are_not_in_one_plot(tab: EvaluateTab, workspace: Workspace) -> None:
    keep_pipeline(workspace, "made", measured(direction="text->text"))
    keep_pipeline(workspace, "made", measured(created=6.0))
    assert len(tab.refresh(PLACE)[part(tab).plot].value["lines"]) == 1


def test_full_text_alone_is_a_point_of_its_own(tab: EvaluateTab, workspace: Workspace) -> None:
    made = measured(fused=True)
    made["rows"].insert(1, {**made["rows"][0], "stage": "full_text", "milliseconds": {"total": 1.0}})
    keep_pipeline(workspace, "made", made)
    drawn = tab.refresh(PLACE)
    lines = drawn[part(tab).plot].value["lines"]
    assert [(line["marks"], line["x"]) for line in lines] == [
        (["alone", "first 10"], [4.0, 40.0]), (["full text alone"], [1.0])
    ]  # fmt: skip
    assert "Full text alone" in drawn[part(tab).told] and "starter + full text + judge" in drawn[part(tab).told]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """The jobs that would have been started."""
    found: list[tuple[str, str, dict[str, Any]]] = []

    def start(workspace: Workspace, work: str, name: str, spec: dict[str, Any], **_: Any) -> JobFolder:
        found.append((work, name, spec))
        return create_job_folder(workspace.job(name), work, spec, {})

    monkeypatch.setattr(jobs, "start", start)
    return found


def test_the_button_starts_a_job_that_is_shown_with_its_progress(tab: EvaluateTab, started: Any) -> None:
    pipelines = part(tab)
    changed = pipelines.start_pipeline(PLACE, "", "starter-reranker", "all", 25, True)
    ((work, name, spec),) = started
    assert (work, name) == ("pipeline", "pipeline-texts")
    assert spec == {
        "collection": "texts", "model": "starter", "reranker": "starter-reranker", "fuse": True, "direction": "all",
        "queries": 25, "dimension": None, "evaluation": "made",
    }  # fmt: skip
    assert "Measuring starter + full text + starter-reranker" in changed[pipelines.job]
    assert not changed[pipelines.start].interactive and changed[pipelines.timer].active
    seen = changed[pipelines.seen]
    assert pipelines.watch_pipeline(PLACE, seen) is None
    assert not pipelines.watch_pipeline(PLACE.at(part="size"), seen)[pipelines.timer].active
    jobs.find(tab.page.workspace, name).write_status(state="running", note="Reranking", step=3, total=25)
    drawn = pipelines.watch_pipeline(PLACE, seen)
    assert "Reranking · 3 of 25" in drawn[pipelines.job]
    assert pipelines.model not in drawn, "what is chosen stays under the user's hands"
    stopping = pipelines.use_view(PLACE, Pressed(act="stop", name=name))
    assert stopping[pipelines.job] and jobs.find(tab.page.workspace, name).stop_requested()


def test_what_cannot_be_measured_starts_nothing(tab: EvaluateTab, started: Any) -> None:
    pipelines = part(tab)
    for given, words in [
        (("", "", "all", 25, False), "Choose a reranker, or full text"),
        (("", "starter-reranker", "all", None, False), "Ask 10 to 10,000 queries"),
        (("/etc", "starter-reranker", "all", 25, False), "cannot be used on the page"),
        (("", "../../etc", "all", 25, False), "cannot be used on the page"),
    ]:
        with pytest.raises(WorkbenchError, match=words):
            pipelines.start_pipeline(PLACE, *given)
    assert started == []


def test_without_its_collection_the_numbers_stay_and_the_form_goes(tab: EvaluateTab, workspace: Workspace) -> None:
    keep_pipeline(workspace, "made", measured())
    change_evaluation(workspace, "made", "texts", lambda found: {**found, "collection": "gone"})
    drawn = tab.refresh(PLACE)
    assert not drawn[part(tab).form].visible and "starter + judge" in drawn[part(tab).told]
    with pytest.raises(WorkbenchError, match="is gone"):
        part(tab).start_pipeline(PLACE, "", "starter-reranker", "all", 25, False)


def test_what_leaves_the_computer_is_told_before_and_only_to_its_owner(
    tab: EvaluateTab, workspace: Workspace, started: Any
) -> None:
    add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": "http://localhost:1/v1", "price": 2.0})
    pipelines = part(tab)
    assert pipelines.show_sends(PLACE, "", "remote:judge", "all", 20)[pipelines.sends] == ""
    with pytest.raises(WorkbenchError, match="cannot be used on the page"):
        pipelines.start_pipeline(PLACE, "", "remote:judge", "all", 20, False)
    tab.page.may_run_code = True
    told = pipelines.show_sends(PLACE, "", "remote:judge", "all", 20)[pipelines.sends]
    assert f"localhost gets at most {20 * HELD} texts (remote:judge)" in told and "by the price given" in told
    assert pipelines.show_sends(PLACE, "", "starter-reranker", "all", 20)[pipelines.sends] == ""
    choices = tab.refresh(PLACE)[pipelines.reranker].choices
    assert ("judge (at localhost)", "remote:judge") in choices
    pipelines.start_pipeline(PLACE, "", "remote:judge", "all", 20, False, "16")
    assert [(spec["reranker"], spec["dimension"]) for _, _, spec in started] == [("remote:judge", 16)]


def test_a_key_given_here_reaches_the_job_and_neither_its_spec_nor_the_page(
    tab: EvaluateTab, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_remote(workspace, {"name": "judge", "shape": "tei-rerank", "address": "http://localhost:1/v1"})
    pipelines, handed = part(tab), []
    monkeypatch.setattr(jobs, "start", lambda *given, environment: handed.append((given[3], environment)))
    tab.page.may_run_code = True
    shown = pipelines.show_sends(PLACE, "", "remote:judge", "all", 20)
    assert shown[pipelines.key].visible and shown[pipelines.key].label == "Key for remote:judge"
    assert not pipelines.show_sends(PLACE, "", "starter-reranker", "all", 20)[pipelines.key].visible
    after = pipelines.start_pipeline(PLACE, "", "remote:judge", "all", 20, False, "", "sk-secret")
    assert after[pipelines.key] == ""
    ((spec, environment),) = handed
    assert "sk-secret" not in str(spec) and "sk-secret" in str(environment)
    pipelines.start_pipeline(PLACE, "", "starter-reranker", "all", 20, False, "", "sk-secret")
    assert handed[1][1] == {}, "nobody remote: the key goes nowhere"


def floor(model: str, ndcg: float, direction: str = "all") -> dict[str, Any]:
    return {
        "model": model, "direction": direction, "queries": 30, "documents": 30, "interval": [0.0, 1.0],
        "metrics": {"ndcg@10": ndcg, "mrr@10": 0.1, "recall@1": 0.1, "recall@10": 0.1, "recall@100": 0.1},
    }  # fmt: skip


def test_the_floors_are_quiet_rows_and_dotted_lines(tab: EvaluateTab, workspace: Workspace) -> None:
    verdicts, size = tab.parts[1], tab.parts[0]
    change_evaluation(workspace, "made", "texts", lambda found: {**found, "floors": []})
    assert "guessing" not in tab.refresh(PLACE.at(part="verdicts"))[verdicts.told]
    scores = {"bm25": 0.613, "random": 0.151}
    floors = [floor(model, ndcg, name) for name in ("all", "text->text") for model, ndcg in scores.items()]
    change_evaluation(workspace, "made", "texts", lambda found: {**found, "floors": floors})
    told = tab.refresh(PLACE.at(part="verdicts"))[verdicts.told]
    assert '<span class="quiet">full text (BM25)</span>' in told and "0.613" in told
    assert '<span class="quiet">guessing</span>' in told and told.count("0.151") == 1
    lines = tab.refresh(PLACE.at(part="size"))[size.plot]["lines"]
    drawn = {line["name"]: line for line in lines if line["tone"] == "floor"}
    assert drawn["full text (BM25)"]["y"] == [0.613] * 3 and drawn["full text (BM25)"]["x"] == [8, 16, 32]
    assert [line["tone"] for line in lines] == ["base", "floor", "floor"]
