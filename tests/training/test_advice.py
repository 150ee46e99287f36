"""Each known failure has words, a button and what it sets, read from the folder of a job that ended so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import failures
from workbench.training.advice import TABLE, advice_for
from workbench.workspace import Workspace, write_json

SETTINGS = {"batch_size": 64, "mini_batch_size": 16, "learning_rate": 1e-3, "precision": "auto"}


def ended(workspace: Workspace, reason: str = "", state: str = "failed", **spec: Any) -> JobFolder:
    job = create_job_folder(workspace.run("ended"), "train", {"kind": "embedder", "settings": SETTINGS} | spec, {})
    if state == "failed":
        job.emit("failed", reason=reason)
    job.write_status(state=state, reason=reason)
    return job


def ended_by(workspace: Workspace, error: BaseException, **spec: Any) -> JobFolder:
    """A job that ended with an error, told as the worker tells it."""
    job = ended(workspace, state="running", **spec)
    failure = failures.explain(error, job)
    job.emit("failed", reason=failure.reason, problems=failure.problems, out_of_memory=failure.out_of_memory)
    job.write_status(state="failed", reason=failure.reason)
    return job


@pytest.mark.parametrize(
    ("error", "about", "press"),
    [
        (WorkbenchError("The loss at step 1,240 is not a number: it ran away."), "loss is not a number", "0.0001"),
        (MemoryError(), "out of memory", "Start again with a mini-batch of 8"),
        (OSError(28, "No space left on device"), "disk full", "Resume"),
        (
            WorkbenchError("“a/b” asks its users to agree to terms first. Then type: hf auth login"),
            "no permission on the Hub",
            "Resume",
        ),
        (ModuleNotFoundError("No module named 'torchvision'"), "missing package", "Resume"),
        (RuntimeError("CUDA error: unspecified launch failure"), "driver lost", "Resume"),
        (
            WorkbenchError("Row 14 of the documents, “cat.png”: the picture is damaged."),
            "bad file",
            "Look at it in Check",
        ),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."),
            "loader killed",
            "Start again without loader processes",
        ),
    ],
)
def test_each_known_failure_has_words_and_a_button(
    workspace: Workspace, error: Exception, about: str, press: str
) -> None:
    advice = advice_for(ended_by(workspace, error))
    assert advice is not None
    assert advice.about == about
    assert press in advice.press
    assert advice.words.endswith(".")


def test_a_missing_package_is_named(workspace: Workspace) -> None:
    advice = advice_for(ended_by(workspace, ModuleNotFoundError("No module named 'qwen_vl_utils.vision'")))
    assert advice is not None and "“qwen_vl_utils”" in advice.words


def test_a_process_that_the_system_ended_for_memory_gets_a_smaller_mini_batch(workspace: Workspace) -> None:
    job = ended(workspace, "The system ended it because memory ran out.")
    write_json(job.path / "exit.json", {"returncode": -9, "signal": 9, "out_of_memory": True})
    advice = advice_for(job)
    assert advice is not None and advice.changes == {"mini_batch_size": 8}


def test_beside_a_gpu_it_was_the_computers_memory_that_ran_out(workspace: Workspace) -> None:
    job = ended(workspace, "The system ended it because memory ran out.")
    job.emit("metrics", step=3, device_bytes=9)
    write_json(job.path / "exit.json", {"returncode": -9, "signal": 9, "out_of_memory": True})
    advice = advice_for(job)
    assert advice is not None and advice.changes == {"loader_workers": 1}


def test_killed_from_outside_is_resumed(workspace: Workspace) -> None:
    job = ended(workspace, "It was killed from outside.", state="crashed")
    write_json(job.path / "exit.json", {"returncode": -9, "signal": 9, "out_of_memory": False})
    advice = advice_for(job)
    assert advice is not None and (advice.about, advice.press, advice.changes) == ("killed", "Resume", {})


def test_with_one_pair_at_once_the_next_saving_is_advised(workspace: Workspace) -> None:
    tried: list[dict[str, Any]] = []
    settings: dict[str, Any] = SETTINGS | {"mini_batch_size": 1, "max_text_tokens": 256}
    for number in range(5):
        job = create_job_folder(workspace.run(f"one-{number}"), "train", {"kind": "embedder", "settings": settings}, {})
        job.emit("failed", reason="Memory ran out.", out_of_memory=True)
        job.write_status(state="failed", reason="Memory ran out.")
        advice = advice_for(job)
        assert advice is not None
        tried.append(advice.changes)
        settings = settings | advice.changes
    assert tried == [
        {"gradient_checkpointing": True},
        {"lora_rank": 16},
        {"max_text_tokens": 128},
        {"max_text_tokens": 64},
        {},
    ]


def test_an_objective_that_needs_its_whole_batch_gets_a_smaller_batch(workspace: Workspace) -> None:
    job = ended_by(workspace, MemoryError(), objective="similarity")
    advice = advice_for(job)
    assert advice is not None and advice.changes == {"batch_size": 32}
    assert "whole batch" in job.status().reason


def test_an_unknown_failure_gets_no_invented_advice(workspace: Workspace) -> None:
    assert advice_for(ended_by(workspace, ZeroDivisionError("division by zero"))) is None


def test_a_run_that_helped_itself_says_so_while_it_goes_on(workspace: Workspace) -> None:
    job = ended(workspace, state="running")
    assert advice_for(job) is None
    job.emit("advice", about="out of memory", applied=True, words="It goes on with 8.", value=8)
    advice = advice_for(job)
    assert advice is not None and (advice.words, advice.press) == ("It goes on with 8.", "")


def test_a_damaged_folder_is_no_further_trouble(tmp_path: Path) -> None:
    job = JobFolder(tmp_path)
    job.write_status(state="failed", reason="No module named 'x'")
    advice = advice_for(job)
    assert advice is not None and advice.about == "missing package"


def test_every_entry_of_the_table_is_named() -> None:
    assert all(known.about for known in TABLE)


def test_a_file_that_cannot_be_decoded_in_a_run_is_named_by_its_row(workspace: Workspace) -> None:
    from workbench.collection.store import Item, open_collection
    from workbench.collection.writing import CollectionWriter
    from workbench.models.items import InputForm
    from workbench.training.pairs import pair_dataset
    from workbench.workspace import new_folder

    with new_folder(workspace.collection("bad")) as folder, CollectionWriter(folder) as writer:
        for number in range(4):
            query = writer.add("queries", Item(text=f"query {number}"))
            writer.judge(query, writer.add("corpus", Item(image=b"no picture", id=f"d{number}", file=f"{number}.png")))
        writer.finish("bad", labels={"query": "question", "document": "answer"}, source={})
    rows = pair_dataset(open_collection(workspace, "bad"), {"document": ("corpus", np.arange(4))}, InputForm())
    with pytest.raises(WorkbenchError, match=r"Row 3 of the documents \(“2.png”\) cannot be read: the") as found:
        rows[2]
    advice = advice_for(ended_by(workspace, found.value))
    assert advice is not None and (advice.about, advice.press) == ("bad file", "Look at it in Check")


def test_what_an_earlier_part_said_is_not_what_went_wrong(workspace: Workspace) -> None:
    job = ended(workspace, "Its process is gone.", state="running")
    log = job.path / "log.txt"
    log.write_text("torch.OutOfMemoryError\nNo space left on device\n")
    job.write_status(state="failed", reason="It ended with an error.")
    job.emit("failed", reason="It ended with an error.")
    first = advice_for(job)
    assert first is not None and first.about == "disk full"
    job.emit("progress", work="train", log_bytes=job.log_bytes())
    with open(log, "a") as file:
        file.write("ModuleNotFoundError: No module named 'torchvision'\n")
    job.emit("failed", reason="It ended with an error.")
    second = advice_for(job)
    assert second is not None and second.about == "missing package"
