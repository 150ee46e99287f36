"""Retrieval tasks of mteb as collections: by a stand-in, and by the real package where it is installed."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.collection import fake_mteb
from tests.collection.fake_mteb import AbsTaskRetrieval, OtherTask, part
from tests.collection.uploads import text_pairs, text_table
from tests.conftest import png_bytes
from workbench.collection.exporting import export_collection
from workbench.collection.import_job import run_import
from workbench.collection.importing import import_collection
from workbench.collection.standard_sets import OWN_IDS_NOTE, StandardSet, check_task_name, open_task, query_text
from workbench.collection.store import open_collection
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder

QUERIES = [{"id": f"q{n}", "text": f"question {n}"} for n in range(4)]
CORPUS = [{"id": f"d{n}", "title": f"Title {n}" if n else "", "text": f"answer {n}"} for n in range(9)]
RELEVANT = {"q0": {"d0": 1}, "q1": {"d1": 2, "d2": 1, "d3": 0}, "q2": {"d4": 1}, "q3": {"d5": 1}}


def nano(name: str = "NanoToyRetrieval", split: str = "train") -> AbsTaskRetrieval:
    return AbsTaskRetrieval(name, {"default": {split: part(QUERIES, CORPUS, RELEVANT)}})


def test_a_task_becomes_a_collection_that_is_all_held_out(workspace, monkeypatch):
    fake_mteb.install(monkeypatch, {"NanoToyRetrieval": nano()})
    spec = {"name": "nano", "mteb": {"task": "NanoToyRetrieval"}}
    result = run_import(workspace, create_job_folder(workspace.jobs / "import-nano", "import", spec, {}))
    # The documents without an answer are searched too; the split that mteb scores on is called “train” here.
    assert (result["queries"], result["documents"], result["skipped"]) == (4, 9, [])
    assert result["judgements"] == {"train": 0, "eval": 6} and "notes" not in result
    collection = open_collection(workspace, "nano")
    assert [item["text"] for item in collection.corpus][:2] == ["answer 0", "Title 1 answer 1"]
    judged = collection.judged("eval")
    scores = {
        (collection.queries["text"][int(query)], collection.corpus["text"][int(document)]): float(score)
        for query, document, score in zip(judged.queries, judged.documents, judged.scores, strict=True)
    }
    assert scores["question 1", "Title 1 answer 1"] == 2.0 and scores["question 1", "Title 3 answer 3"] == 0.0
    assert collection.card.source["mteb"] == {
        "task": "NanoToyRetrieval", "subset": "default", "split": "train", "dataset": "mteb/NanoToyRetrieval",
        "revision": "63ac9f0", "version": "2.26.24", "languages": ["eng-Latn"], "notes": [],
    }  # fmt: skip


def test_texts_are_put_together_as_mteb_encodes_them(workspace, monkeypatch):
    queries = [
        {
            "id": "a",
            "text": [{"role": "user", "content": "Hi"}, {"role": "bot", "content": "Yes?"}],
            "instruction": "Do",
        }
    ]
    task = AbsTaskRetrieval("Chat", {"default": {"test": part(queries, CORPUS, {"a": {"d1": 1}})}})
    fake_mteb.install(monkeypatch, {"Chat": task})
    import_collection(workspace, "chat", open_task(StandardSet("Chat")))
    assert open_collection(workspace, "chat").queries["text"][0] == "Do user: Hi; bot: Yes?"
    assert query_text({"text": "why", "instruction": "Be brief"}) == "why Be brief"
    with pytest.raises(WorkbenchError, match="form that cannot be read"):
        query_text({"text": [{"speaker": "user"}]})


def test_pictures_come_in_as_the_bytes_they_are(workspace, monkeypatch):
    from datasets import Dataset, Features, Image, Value

    pictures = [png_bytes((n, 2 * n, 3 * n)) for n in range(5)]
    corpus = Dataset.from_dict(
        {"id": [f"d{n}" for n in range(5)], "image": [{"bytes": data, "path": None} for data in pictures]},
        features=Features({"id": Value("string"), "image": Image()}),
    )
    data = part(QUERIES, CORPUS, {"q0": {"d0": 1}, "q1": {"d3": 1}}) | {"corpus": corpus}
    fake_mteb.install(monkeypatch, {"Pictures": AbsTaskRetrieval("Pictures", {"default": {"test": data}})})
    result = import_collection(workspace, "pictures", open_task(StandardSet("Pictures")))
    assert result["modalities"] == {"query": ["text"], "document": ["image"]} and result["documents"] == 5
    assert {item["image"]["bytes"] for item in open_collection(workspace, "pictures").corpus} == set(pictures)


def test_of_several_languages_and_splits_one_is_chosen(monkeypatch):
    other = part([{"id": "q0", "text": "Frage"}], CORPUS, {"q0": {"d0": 1}})
    several = {name: {"dev": other, "test": other} for name in ("de", "en")}
    task = AbsTaskRetrieval("Many", several, {"de": ["deu-Latn"], "en": ["eng-Latn"]})
    fake_mteb.install(monkeypatch, {"Many": task})
    with pytest.raises(WorkbenchError, match=r"several subsets\. Choose one with --hub-config: de, en"):
        open_task(StandardSet("Many"))
    with pytest.raises(WorkbenchError, match=r"no split “train”\. Choose one with --hub-split: dev, test"):
        open_task(StandardSet("Many", "de", "train"))
    assert task.loaded == 0, "nothing is fetched before it is known what"
    opened = open_task(StandardSet("Many", "de"))
    told = opened.origin["mteb"]
    assert (told["subset"], told["split"], told["languages"]) == ("de", "test", ["deu-Latn"])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nanotoyretrieval", r"has no task “nanotoyretrieval”\. Did you mean NanoToyRetrieval\?"),
        ("Nothing", "has no task “Nothing”. Its tasks: https"),
        ("NanoBEIR", "“NanoBEIR” is 2 tasks. Import one of them at a time: NanoArguAna, NanoNQ"),
        ("Banking77", "is no retrieval task but Classification"),
        ("Rerank", "puts given candidates in order"),
        ("Broken", "mteb cannot read “Broken”: dataset scripts are gone"),
    ],
)
def test_what_is_no_task_to_search_in_is_told(monkeypatch, name, told):
    ranked = AbsTaskRetrieval(
        "Rerank", {"default": {"test": part(QUERIES, CORPUS, RELEVANT, top_ranked={"q0": ["d0"]})}}
    )
    broken = nano("Broken")

    def refuse(num_proc: int | None = None) -> None:
        raise RuntimeError("dataset scripts are gone.\nmore")

    broken.load_data = refuse  # type: ignore[method-assign]
    tasks: dict[str, Any] = {"NanoToyRetrieval": nano(), "Banking77": OtherTask(), "Rerank": ranked, "Broken": broken}
    fake_mteb.install(monkeypatch, tasks, {"NanoBEIR": ["NanoArguAna", "NanoNQ"]})
    with pytest.raises(WorkbenchError, match=told):
        open_task(StandardSet(name))


def test_without_mteb_one_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(WorkbenchError, match=r"mteb, which is not installed\. To install it: pip install mteb"):
        open_task(StandardSet("NanoArguAnaRetrieval"))


def test_a_task_that_leaves_the_query_out_of_its_ranking_is_noted(workspace, monkeypatch):
    asked = [{"id": "d1", "text": "answer 1"}, {"id": "d2", "text": "answer 2"}]
    task = AbsTaskRetrieval("Own", {"default": {"test": part(asked, CORPUS, {"d1": {"d2": 1}, "d2": {"d1": 1}})}})
    fake_mteb.install(monkeypatch, {"Own": task})
    assert open_task(StandardSet("Own")).origin["mteb"]["notes"] == []
    task.ignore_identical_ids = True
    result = import_collection(workspace, "own", open_task(StandardSet("Own")))
    assert result["notes"] == [OWN_IDS_NOTE]
    # Numbers that happen to be the same on both sides are no such thing.
    other = AbsTaskRetrieval(
        "Numbers", {"default": {"test": part([{"id": "d1", "text": "why"}], CORPUS, {"d1": {"d2": 1}})}}
    )
    other.ignore_identical_ids = True
    fake_mteb.install(monkeypatch, {"Numbers": other})
    assert open_task(StandardSet("Numbers")).origin["mteb"]["notes"] == []


@pytest.mark.parametrize("name", ["", "../../etc", "a/b", "x" * 200, "a\nb"])
def test_what_cannot_be_a_task_is_refused_before_anything_is_imported(name):
    with pytest.raises(WorkbenchError, match="cannot be the name of a task"):
        check_task_name(name)


def test_the_real_mteb_loads_an_exported_collection_which_comes_back_as_it_was(workspace, tmp_path, monkeypatch):
    mteb = pytest.importorskip("mteb", reason="mteb is not installed: pip install mteb")
    from mteb.abstasks import AbsTaskRetrieval as Real
    from mteb.abstasks.task_metadata import TaskMetadata

    # Its cache goes by the folder's name and the revision, so that of another test would do as well.
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    import_collection(workspace, "pairs", text_table(tmp_path / "pairs.csv", text_pairs(30)))
    folder = export_collection(workspace, "pairs", "mteb", tmp_path / "out")["path"]

    class PairsRetrieval(Real):
        metadata = TaskMetadata(
            name="PairsRetrieval", description="pairs", type="Retrieval", main_score="ndcg_at_10",
            dataset={"path": str(folder), "revision": "main"}, eval_langs=["eng-Latn"], eval_splits=["test"],
        )  # fmt: skip

    monkeypatch.setitem(sys.modules["mteb.get_tasks"]._TASKS_REGISTRY, "PairsRetrieval", PairsRetrieval)
    opened = open_task(StandardSet("PairsRetrieval"))
    assert opened.origin["mteb"]["version"] == mteb.__version__
    result = import_collection(workspace, "back", opened)
    before, after = open_collection(workspace, "pairs"), open_collection(workspace, "back")
    assert result["judgements"] == {"train": 0, "eval": before.card.counts["eval"]} and not result["skipped"]
    assert sorted(after.corpus["text"]) == sorted(before.corpus["text"])
    held = {before.queries["text"][int(row)] for row in before.judged("eval").queries}
    assert set(after.queries["text"]) == held
