"""What a run learns from, in collections that leave little to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import png_bytes
from workbench.collection.store import Collection, Item, open_collection
from workbench.collection.writing import CollectionWriter
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.models.items import InputForm
from workbench.settings import TrainSettings
from workbench.training.pairs import Decoder, training_pairs, with_negatives
from workbench.training.run import run_training
from workbench.training.spec import train_spec
from workbench.workspace import Workspace, new_folder


def collection_of(workspace: Workspace, answers: dict[str, list[Item]], held_out: float = 0.0) -> Collection:
    """A text query with its answers, for each entry."""
    with new_folder(workspace.collection("few")) as folder, CollectionWriter(folder) as writer:
        for query, documents in answers.items():
            for document in documents:
                writer.judge(writer.add("queries", Item(text=query)), writer.add("corpus", document))
        writer.finish("few", labels={"query": "q", "document": "d"}, source={}, fraction=held_out)
    return open_collection(workspace, "few")


def test_a_query_for_which_everything_is_right_gets_no_wrong_document_and_ends_no_run(workspace: Workspace) -> None:
    first, second, third = Item(text="one"), Item(text="two"), Item(text="three")
    collection = collection_of(workspace, {"all": [first, second, third], "a": [first, third], "b": [second, third]})
    (pairs,) = training_pairs(collection)
    drawn = with_negatives(collection, pairs, {}, seed=0, copies=2)
    assert drawn.negatives is not None
    right = set(zip(pairs.queries.tolist(), pairs.documents.tolist(), strict=True))
    assert not right & set(zip(drawn.queries.tolist(), drawn.negatives.tolist(), strict=True))
    assert collection.query_rows[Item(text="all").content_id()] not in drawn.queries
    assert len(drawn) == 2 * 4
    assert np.array_equal(drawn.documents[:4], drawn.documents[4:])


def test_two_pairs_of_different_kinds_are_too_few(workspace: Workspace) -> None:
    with new_folder(workspace.collection("few")) as folder, CollectionWriter(folder) as writer:
        for query, document in ((Item(text="a"), Item(text="b")), (Item(image=b"picture"), Item(text="c"))):
            writer.judge(writer.add("queries", query), writer.add("corpus", document))
        writer.finish("few", labels={"query": "q", "document": "d"}, source={}, fraction=0.0)
    with pytest.raises(WorkbenchError, match="has one pair to train on"):
        training_pairs(open_collection(workspace, "few"))


def test_a_collection_without_pairs_is_told_before_the_start(workspace: Workspace) -> None:
    collection_of(workspace, {"only": [Item(text="one")]})
    with pytest.raises(WorkbenchError, match="“few” has one pair to train on, and a run needs at least 2"):
        train_spec(workspace, collection="few", model="starter")


def test_a_collection_with_nothing_held_out_is_told_before_the_start(workspace: Workspace) -> None:
    collection_of(workspace, {"only": [Item(text="one"), Item(text="two")]})
    with pytest.raises(WorkbenchError, match="no held-out judgements"):
        train_spec(workspace, collection="few", model="starter")


def test_a_run_without_one_batch_says_that_there_is_nothing_to_tell_apart(workspace: Workspace) -> None:
    answers = [Item(text=f"answer {number}") for number in range(6)]
    collection_of(workspace, {"a question": answers, "another": answers, "a third": answers}, held_out=0.34)
    spec = train_spec(workspace, collection="few", model="starter")
    with pytest.raises(WorkbenchError, match="There is nothing to tell apart"):
        run_training(workspace, create_job_folder(workspace.run("vain"), "train", spec, {}))


def test_half_formats_work_on_a_processor_or_say_what_to_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformerTrainingArguments

    from workbench.training import trainer

    monkeypatch.setattr(trainer, "best_device", lambda: "cpu")
    arguments = trainer.training_arguments(
        SentenceTransformerTrainingArguments, tmp_path, TrainSettings(precision="bf16"), total_steps=2
    )
    assert arguments.bf16
    assert arguments.device.type == "cpu"
    with pytest.raises(WorkbenchError, match="fp16 needs a GPU"):
        trainer.training_arguments(
            SentenceTransformerTrainingArguments, tmp_path, TrainSettings(precision="fp16"), total_steps=2
        )


def test_a_damaged_run_does_not_hinder_the_choice_of_a_first_stage(workspace: Workspace) -> None:
    collection_of(workspace, {"a": [Item(text="one")], "b": [Item(text="two")], "c": [Item(text="three")]}, 0.34)
    for number, content in enumerate(["{", "[]", '{"work": "train", "created": "then", "spec": {}}', '{"spec": 3}']):
        workspace.run(f"damaged-{number}").mkdir()
        (workspace.run(f"damaged-{number}") / "job.json").write_text(content)
    spec = train_spec(workspace, collection="few", model="starter", kind="late-interaction")
    assert spec["first_stage"] == "starter"


def test_small_pictures_are_kept_decoded_and_large_ones_are_opened_again(workspace: Workspace) -> None:
    with new_folder(workspace.collection("sizes")) as folder, CollectionWriter(folder) as writer:
        for side in (16, 400):
            picture = writer.add("corpus", Item(image=png_bytes(size=(side, side))))
            writer.judge(writer.add("queries", Item(text=f"{side} wide")), picture)
        writer.finish("sizes", labels={}, source={}, fraction=0.0)
    decoder = Decoder(workspace.collection("sizes"), {"document": "corpus"}, InputForm())
    first, again = (decoder({"document": [0, 1]})["document"] for _ in range(2))
    assert [picture.width for picture in first] == [16, 400]
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, False]
