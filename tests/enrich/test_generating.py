"""Generated queries: what is asked, what is kept, what is never touched, and how it goes on after a stop."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from typing import Any

import numpy as np
import pytest

from tests import media_makers as make
from tests.conftest import png_bytes, wav_bytes
from tests.enrich.bad_endpoint import (
    BadEndpoint,
    Handler,
    bad_endpoint,
    hangs_up,
    never_answers,
    says,
    sends,
    shown_text,
    writes_queries,
)
from tests.enrich.test_endpoint import Waits
from tests.enrich.toys import ToyEmbedder
from workbench import models
from workbench.collection.editing import changes, edit_collection, undo
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.enrich import generating
from workbench.enrich.answers import normalised, queries_in
from workbench.enrich.choosing import chosen_documents
from workbench.enrich.generating import generation_settings, generation_spec, preview_generation, run_generation
from workbench.errors import Stopped, WorkbenchError
from workbench.evaluation.held_out import held_out
from workbench.job_folder import JobFolder, create_job_folder
from workbench.workspace import Workspace, new_folder


def library(
    workspace: Workspace, documents: int = 6, pairs: int = 0, name: str = "library", **finish: Any
) -> Collection:
    """`documents` texts that nobody asks for, and `pairs` texts with one query each."""
    with new_folder(workspace.collection(name)) as folder, CollectionWriter(folder) as writer:
        for number in range(documents):
            writer.add("corpus", Item(text=f"About the number {number}"))
        for number in range(100, 100 + pairs):
            query = writer.add("queries", Item(text=f"Tell of {number}"))
            writer.judge(query, writer.add("corpus", Item(text=f"Story {number}")))
        writer.finish(name, labels={"query": "question", "document": "text"}, source={}, **finish)
    return open_collection(workspace, name)


def media_library(workspace: Workspace, *items: Item) -> Collection:
    with new_folder(workspace.collection("library")) as folder, CollectionWriter(folder) as writer:
        for item in items:
            writer.add("corpus", item)
        writer.finish("library", labels={"query": "query", "document": "file"}, source={})
    return open_collection(workspace, "library")


def job_for(workspace: Workspace, server: BadEndpoint, name: str = "job", **settings: Any) -> JobFolder:
    settings = {"endpoint": server.address, "endpoint_model": "toy-writer", "at_once": 1, **settings}
    spec = generation_spec(workspace, collection="library", **settings)
    return create_job_folder(workspace.job(name), "generate", spec, {})


def generated(workspace: Workspace, name: str = "library") -> dict[str, tuple[str, dict[str, Any]]]:
    """Generated query to the text of its document, and its meta."""
    collection = open_collection(workspace, name)
    found = {}
    for row in collection.judgements.to_list():
        if row["source"] == "generated":
            assert (row["score"], row["split"]) == (1.0, "train")
            query = collection.item("queries", collection.query_rows[row["query"]]).text
            document = collection.item("corpus", collection.document_rows[row["document"]])
            found[str(query)] = (str(document.text), json.loads(row["meta"]))
    return found


def test_documents_without_queries_get_some_as_one_change(workspace):
    library(workspace, 3)
    with bad_endpoint(writes_queries) as server:
        result = run_generation(workspace, job_for(workspace, server))
    assert result == {
        "collection": "library",
        "model": "toy-writer",
        "requested": 3,
        "generated": 6,
        "kept": 6,
        "dropped": {"duplicate": 0, "round-trip": 0, "unusable": 0},
        "failed": 0,
        "problems": [],
        "skipped": [],
        "unasked": 0,
    }
    found = generated(workspace)
    assert {query: text for query, (text, _) in found.items()} == {
        f"{word} is {number}": f"About the number {number}" for word in ("what", "where") for number in range(3)
    }
    meta = found["what is 2"][1]
    assert meta["model"] == "toy-writer" and "Write {count} different queries" in meta["prompt"]
    assert time.time() - 60 < meta["when"] <= time.time()
    assert [change.what for change in changes(workspace, "library")] == ["Generated 6 queries with “toy-writer”"]
    undo(workspace, "library")
    assert not generated(workspace)


def test_only_documents_without_queries_are_asked_about_unless_all_are_wanted(workspace):
    collection = library(workspace, 2, pairs=10, fraction=0.3)
    judged = collection.judged("eval")
    held = {collection.item("corpus", row).text for row in judged.documents}
    settings = {"endpoint": "http://localhost/v1", "endpoint_model": "m"}
    assert len(chosen_documents(collection, generation_settings(settings)).rows) == 2
    chosen = chosen_documents(collection, generation_settings({**settings, "which": "all"}))
    assert len(held) > 0 and len(chosen.rows) == 12 - len(held)
    assert held.isdisjoint(collection.item("corpus", row).text for row in chosen.rows)
    assert chosen.skipped == {"held out to score models by": len(held)}


def test_a_limit_draws_the_same_documents_for_the_same_seed(workspace):
    collection = library(workspace, 20)
    drawn = [
        chosen_documents(collection, generation_settings({"dry_run": True, "limit": 5, "seed": seed})).rows.tolist()
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2] and len(set(drawn[0])) == 5


def test_the_evaluation_is_the_same_before_and_after(workspace):
    before = held_out(library(workspace, 5, pairs=10, fraction=0.3)).directions
    with bad_endpoint(writes_queries) as server:
        assert run_generation(workspace, job_for(workspace, server, which="all"))["kept"] > 10
    after = held_out(open_collection(workspace, "library")).directions
    assert before.keys() == after.keys()
    for name, direction in before.items():
        assert np.array_equal(direction.source_rows, after[name].source_rows)
        assert np.array_equal(direction.target_rows, after[name].target_rows)
        assert direction.relevant == after[name].relevant


def test_duplicates_of_each_other_and_of_what_is_there_are_dropped(workspace):
    library(workspace, 2, pairs=3)
    answer = json.dumps({"queries": ["TELL of 101!", "  new\u00a0one ", "New one?", "other"]})
    with bad_endpoint(says(answer)) as server:
        result = run_generation(workspace, job_for(workspace, server, per_document=4))
    assert set(generated(workspace)) == {"new one", "other"}
    assert (result["generated"], result["kept"], result["dropped"]["duplicate"]) == (8, 2, 6)


def test_what_cannot_be_used_is_dropped_and_counted(workspace):
    library(workspace, 1)
    bad = ["", "?!", 5, None, {"a": "b"}, "x" * 1001, "about the number 0.", "go\x00od\n\none \ud800"]
    with bad_endpoint(says(json.dumps({"queries": bad}))) as server:
        result = run_generation(workspace, job_for(workspace, server, per_document=20))
    assert (result["kept"], result["dropped"]["unusable"]) == (1, 7)
    assert list(generated(workspace)) == ["go od one ?"]


def test_more_than_was_asked_for_is_not_taken(workspace):
    library(workspace, 1)
    with bad_endpoint(says(json.dumps([f"q{number}" for number in range(50)]))) as server:
        assert run_generation(workspace, job_for(workspace, server, per_document=2))["generated"] == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"queries": ["a", "b"]}',
        '["a", "b"]',
        '```json\n{"queries": ["a", "b"]}\n```',
        'Sure! Here they are:\n```\n["a", "b"]\n```\nAnything else?',
        'Here: {"questions": ["a", "b"]} — good luck.',
        'I wrote ["a", "b"] for you',
        '[{"query": "a"}, {"question": "b"}]',
        '<think>maybe {"queries": ["no"]}</think>{"queries": ["a", "b"]}',
        '{"note": "two", "result": ["a", "b"]}',
    ],
)
def test_queries_are_found_however_the_json_is_wrapped(text):
    assert queries_in(text) == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["no", "{}", '"a"', "5", "{'queries': ['a']}", "[" * 5000, "<html></html>", '{"a": {}}']
)
def test_an_answer_without_queries_is_told(text):
    with pytest.raises(WorkbenchError, match=r"^The model's answer is not the JSON that was asked for: “"):
        queries_in(text)


def test_half_an_answer_of_the_model_is_told():
    with pytest.raises(WorkbenchError, match="stops in the middle: it came to its limit of tokens"):
        queries_in('{"queries": ["a", "b', cut=True)


def test_normalising_keeps_other_scripts_apart():
    assert normalised("  Ｗｈａｔ is—it?") == normalised("what is it")
    assert normalised("青い鳥") != normalised("青い花")
    assert normalised("नमस्ते") != normalised("नमसत")


def test_documents_that_fail_are_told_and_the_others_are_kept(workspace):
    library(workspace, 4)
    behaviours = [says("I will not"), writes_queries, sends('{"error": "too long"}', 400), writes_queries]
    with bad_endpoint(*behaviours) as server:
        result = run_generation(workspace, job_for(workspace, server), pause=Waits())
    assert (result["requested"], result["failed"], result["kept"], result["unasked"]) == (4, 2, 4, 0)
    assert [problem.partition(": ")[2] for problem in result["problems"]] == [
        "The model's answer is not the JSON that was asked for: “I will not”.",
        "The endpoint refuses this request (status 400). It says: “too long”.",
    ]


def test_after_five_failures_in_a_row_no_more_is_asked_and_what_is_done_is_kept(workspace):
    library(workspace, 20)
    with bad_endpoint(writes_queries, writes_queries, says("no")) as server:
        result = run_generation(workspace, job_for(workspace, server), pause=Waits())
        assert len(server.asked) == 7
    assert (result["requested"], result["failed"], result["kept"], result["unasked"]) == (7, 5, 4, 13)


def test_an_endpoint_that_goes_away_ends_it_and_what_is_done_is_kept(workspace):
    library(workspace, 20)
    with bad_endpoint(writes_queries, sends("", 401)) as server:
        result = run_generation(workspace, job_for(workspace, server), pause=Waits())
    assert (result["requested"], result["failed"], result["kept"]) == (2, 1, 2)
    assert "without a right key (401)" in result["problems"][0]


def test_not_one_answer_is_a_failure_in_words_and_changes_nothing(workspace):
    library(workspace, 20)
    with bad_endpoint(hangs_up) as server, pytest.raises(WorkbenchError) as caught:
        run_generation(workspace, job_for(workspace, server), pause=Waits())
    assert caught.value.message == "The endpoint broke off in the middle of its answer."
    assert caught.value.problems == [], "what is the same for every document is said once"
    assert not changes(workspace, "library")


def test_a_stop_leaves_a_waiting_request_within_a_second_and_a_resume_asks_the_rest(workspace):
    library(workspace, 4)
    with bad_endpoint(writes_queries, writes_queries, never_answers) as server:
        job = job_for(workspace, server)
        stopped: list[float] = []

        def stop_in_the_middle() -> None:
            while len(server.asked) < 3:
                time.sleep(0.01)
            stopped.append(time.monotonic())
            (job.path / "STOP").touch()

        thread = threading.Thread(target=stop_in_the_middle)
        thread.start()
        with pytest.raises(Stopped):
            run_generation(workspace, job)
        assert time.monotonic() - stopped[0] < 1
        thread.join()
        assert not generated(workspace)
        (job.path / "STOP").unlink()
        with open(job.path / "answers.jsonl", "ab") as file:
            file.write(b'\n{"document": "half of')
        server.behaviours = [writes_queries]
        result = run_generation(workspace, job)
        assert len(server.asked) == 5
    assert (result["requested"], result["kept"], result["failed"]) == (4, 8, 0)


def test_a_resume_asks_again_what_failed(workspace):
    library(workspace, 3)
    with bad_endpoint(writes_queries, says("no"), sends("", 401), writes_queries) as server:
        job = job_for(workspace, server)
        assert run_generation(workspace, job)["failed"] == 2
        undo(workspace, "library")
        assert run_generation(workspace, job)["kept"] == 6
        assert len(server.asked) == 5


def test_several_requests_at_once_ask_about_each_document_once(workspace):
    library(workspace, 12)
    met = threading.Barrier(3, timeout=30)

    def together(handler: Handler) -> None:
        met.wait()
        writes_queries(handler)

    with bad_endpoint(together) as server:
        assert run_generation(workspace, job_for(workspace, server, at_once=3))["kept"] == 24
        assert len({shown_text(body) for body in server.asked}) == len(server.asked) == 12


def test_what_was_changed_meanwhile_is_respected(workspace):
    collection = library(workspace, 3)
    gone = collection.item("corpus", 1).id

    def changes_the_collection(handler: Handler) -> None:
        if len(handler.server.asked) == 3:
            with edit_collection(workspace, "library", "Meanwhile") as edit:
                edit.drop("corpus", [gone])
                edit.judge(edit.add("queries", Item(text="what is 0")), collection.item("corpus", 0).id, split="eval")
        writes_queries(handler)

    with bad_endpoint(changes_the_collection) as server:
        result = run_generation(workspace, job_for(workspace, server))
    assert result["kept"] == 3
    assert set(generated(workspace)) == {"where is 0", "what is 2", "where is 2"}


def test_the_round_trip_keeps_what_finds_its_document(workspace, monkeypatch):
    collection = library(workspace, 40)
    toy = ToyEmbedder()
    monkeypatch.setattr(models, "load_embedder", lambda *_, **__: toy)

    def sometimes_wrong(handler: Handler) -> None:
        number = int(shown_text(handler.body).rpartition(" ")[2])
        handler.send(
            json.dumps({"choices": [{"message": {"content": json.dumps([f"right {number}", f"far {number + 9}"])}}]})
        )

    with bad_endpoint(sometimes_wrong) as server:
        job = job_for(workspace, server, round_trip="toy", round_trip_rank=3)
        result = run_generation(workspace, job)
    assert result["dropped"]["round-trip"] + result["kept"] == 80
    found = generated(workspace)
    # Beyond the last number the nearest document is the last one: three of those are near enough.
    assert {query for query in found if query.startswith("right")} == {f"right {number}" for number in range(40)}
    assert not {f"far {number + 9}" for number in range(20)} & set(found)
    assert len(collection.corpus) == 40


def test_a_round_trip_model_that_cannot_read_the_documents_is_refused_before_anything_is_sent(workspace, monkeypatch):
    media_library(workspace, Item(image=png_bytes(), file="red.png"))
    toy = ToyEmbedder()
    toy.modalities = ("text",)
    monkeypatch.setattr(models, "load_embedder", lambda *_, **__: toy)
    with bad_endpoint(writes_queries) as server:
        with pytest.raises(WorkbenchError, match="cannot read image"):
            run_generation(workspace, job_for(workspace, server, round_trip="toy"))
        assert not server.asked


def test_pictures_travel_scaled_down_and_sounds_only_if_wanted(workspace):
    from PIL import Image

    big = png_bytes(size=(2000, 500))
    media_library(workspace, Item(image=big, file="big.png"), Item(audio=wav_bytes(), file="beep.wav"))
    answer = says('["a red picture", "all red"]')
    with bad_endpoint(answer) as server:
        result = run_generation(workspace, job_for(workspace, server))
        parts = server.asked[0]["messages"][0]["content"]
    assert result["skipped"] == [{"reason": "a sound, which most endpoints do not take", "count": 1}]
    assert [part["type"] for part in parts] == ["text", "image_url"]
    head, _, data = parts[1]["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (768, 192)
    with bad_endpoint(says('["a beep"]')) as server:
        run_generation(workspace, job_for(workspace, server, "second", sends_sound=True))
        sound = server.asked[0]["messages"][0]["content"][1]
    assert sound["type"] == "input_audio" and sound["input_audio"]["format"] == "wav"
    assert base64.b64decode(sound["input_audio"]["data"]).startswith(b"RIFF")


def test_a_video_travels_as_pictures(workspace):
    media_library(workspace, Item(video=make.video(), file="film.mp4"))
    with bad_endpoint(says('["a film"]')) as server:
        run_generation(workspace, job_for(workspace, server))
        parts = server.asked[0]["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", *["image_url"] * 4]


def test_sounds_alone_are_refused_in_words(workspace):
    media_library(workspace, Item(audio=wav_bytes(), file="beep.wav"))
    with pytest.raises(WorkbenchError) as caught:
        generation_spec(workspace, collection="library", endpoint="http://localhost/v1", endpoint_model="m")
    assert caught.value.message == "Every document that no query asks for of “library” is left out."
    assert caught.value.problems == ["1 left out: a sound, which most endpoints do not take."]


def test_a_preview_sends_nothing_and_says_how_much_it_would_be(workspace):
    library(workspace, 10)
    with bad_endpoint(writes_queries) as server:
        settings = generation_settings(
            {"endpoint": server.address, "endpoint_model": "m", "prompt": "Write {count}:", "per_document": 2}
        )
        told = preview_generation(workspace, "library", settings, prompt_price=1e6, answer_price=2e6)
        dry = run_generation(workspace, job_for(workspace, server, dry_run=True))
        assert not server.asked
    assert (told["documents"], told["queries"]) == (10, 20)
    assert 60 <= told["prompt_tokens"] <= 130
    assert told["answer_tokens"] == 700
    assert told["cost"] == told["prompt_tokens"] + 2 * told["answer_tokens"]
    assert [sample["prompt"] for sample in told["samples"]] == [
        f"Write 2:\n\nThe document:\nAbout the number {number}" for number in range(3)
    ]
    assert dry["cost"] is None and dry["documents"] == 10
    assert not generated(workspace)


def test_a_preview_counts_media_without_decoding_them(workspace):
    media_library(workspace, Item(image=b"no picture at all", file="a.png"), Item(text="text"))
    told = preview_generation(workspace, "library", generation_settings({"dry_run": True}))
    assert told["prompt_tokens"] > 765
    assert told["samples"][0]["prompt"].endswith("[a picture: a.png]")


def test_a_text_is_cut_and_stands_where_the_prompt_wants_it(workspace):
    media_library(workspace, Item(text="long " * 5000))
    with bad_endpoint(says('["one"]')) as server:
        run_generation(workspace, job_for(workspace, server, prompt="Read {document} and write {count}. {other}"))
        asked = shown_text(server.asked[0])
    assert asked.startswith("Read long long") and asked.endswith(" and write 3. {other}")
    assert len(asked) < 6100


def test_a_collection_in_which_every_document_has_a_query_is_told(workspace):
    library(workspace, 0, pairs=4)
    with pytest.raises(WorkbenchError, match=r"Every document of “library” has a query already. Choose all documents"):
        generation_spec(workspace, collection="library", endpoint="http://localhost/v1", endpoint_model="m")


def test_bad_settings_are_all_told(workspace):
    library(workspace)
    with pytest.raises(WorkbenchError) as caught:
        generation_spec(workspace, collection="library", per_document=0, which="some", prompt="", nonsense=1)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "Prompt",
        "Queries per document",
        "Which documents",
        "nonsense",
    ]
    with pytest.raises(WorkbenchError, match="Name the model that the endpoint should use"):
        generation_spec(workspace, collection="library", endpoint="http://localhost/v1")


def test_the_key_is_sent_and_stored_nowhere(workspace, monkeypatch):
    library(workspace, 2)
    monkeypatch.setenv("WORKBENCH_ENDPOINT_KEY", "hush-hush")
    with bad_endpoint(writes_queries, sends('{"error": "hush-hush is no key"}', 400)) as server:
        run_generation(workspace, job_for(workspace, server))
        assert server.headers[0]["Authorization"] == "Bearer hush-hush"
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"hush" in path.read_bytes()]


def test_it_is_a_work_of_the_queue():
    from workbench.jobs.works import load_work

    assert load_work("generate") is generating.run_generation
