from __future__ import annotations

import json
import os
import threading
import time

import pytest

from workbench.errors import Stopped, WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder


@pytest.fixture
def job(workspace) -> JobFolder:
    return create_job_folder(workspace.run("first"), "train", {"epochs": 3}, {"torch": "2"})


def test_a_new_job_is_queued_and_holds_its_whole_spec(job):
    assert job.status().state == "queued" and not job.status().ended
    assert (job.name, job.work, job.spec, job.job["versions"]) == ("first", "train", {"epochs": 3}, {"torch": "2"})
    assert abs(job.job["created"] - time.time()) < 60


def test_a_taken_name_is_refused_and_nothing_half_made_stays(workspace, job):
    with pytest.raises(WorkbenchError, match="already a run or job named “first”"):
        create_job_folder(job.path, "train", {}, {})
    assert job.spec == {"epochs": 3}
    with pytest.raises(TypeError):
        create_job_folder(workspace.run("second"), "train", {"bad": object()}, {})
    assert os.listdir(workspace.runs) == ["first"]


def test_of_two_that_take_a_name_in_the_same_moment_one_is_told(workspace):
    outcomes = []
    barrier = threading.Barrier(4)

    def create(number: int) -> None:
        barrier.wait()
        try:
            create_job_folder(workspace.run("race"), "train", {"number": number}, {})
            outcomes.append("made")
        except WorkbenchError:
            outcomes.append("refused")

    threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused", "refused"]
    assert os.listdir(workspace.runs) == ["race"]


def test_a_missing_or_damaged_job_json_is_told_in_words(workspace, job):
    with pytest.raises(WorkbenchError, match="missing or damaged"):
        _ = JobFolder(workspace.run("none")).job
    for damaged in ("", "{half", "[]", '{"work": "train"}'):
        (job.path / "job.json").write_text(damaged)
        with pytest.raises(WorkbenchError, match="missing or damaged"):
            _ = job.spec


def test_writing_a_status_changes_only_what_is_named(job):
    job.write_status(state="running", pid=12, create_time=1.5)
    status = job.write_status(step=7)
    assert (status.state, status.pid, status.create_time, status.step) == ("running", 12, 1.5, 7)
    assert JobFolder(job.path).status() == status


def test_half_a_status_is_no_error_and_the_writer_goes_on_from_what_it_knows(job):
    job.write_status(state="running", pid=12, create_time=1.5)
    (job.path / "status.json").write_text('{"state": "run')
    assert JobFolder(job.path).status().state == "queued"
    status = job.write_status(step=1)
    assert (status.state, status.pid) == ("running", 12)


def test_a_status_of_a_newer_version_is_read_as_far_as_it_is_known(job):
    (job.path / "status.json").write_text(json.dumps({"state": "running", "mood": "good", "updated": 1.0}))
    assert job.status().state == "running"


def test_events_come_back_in_order_and_by_kind(job):
    job.emit("started", steps=3)
    for step in (1, 2):
        job.emit("metrics", step, loss=1 / step)
    assert [(event["event"], event["step"]) for event in job.events()] == [
        ("started", 0),
        ("metrics", 1),
        ("metrics", 2),
    ]
    assert [event["loss"] for event in job.events("metrics")] == [1.0, 0.5]
    assert job.last_event("metrics")["step"] == 2 and job.last_event("failed") is None
    assert all(abs(event["time"] - time.time()) < 60 for event in job.events())


def test_values_that_json_does_not_know_become_null(job):
    job.emit("metrics", 1, loss=float("nan"), deep={"list": [float("inf"), 1.0]}, pair=(1, float("-inf")))
    event = job.last_event("metrics")
    assert event["loss"] is None and event["deep"] == {"list": [None, 1.0]} and event["pair"] == [1, None]


def test_a_half_written_line_is_skipped_and_does_not_swallow_the_next(job):
    job.emit("started")
    with open(job.path / "events.jsonl", "ab") as file:
        file.write(b'{"event": "metrics", "st')
    assert [event["event"] for event in job.events()] == ["started"]
    job.emit("finished")
    assert [event["event"] for event in job.events()] == ["started", "finished"]


def test_lines_that_are_no_events_are_skipped(job):
    (job.path / "events.jsonl").write_bytes(b'[1]\n\nnull\n\xff\xfe\n{"event": "started"}\n')
    assert [event["event"] for event in job.events()] == ["started"]


def test_the_etag_changes_with_every_file_a_page_shows_and_only_then(job):
    seen = {job.etag()}
    assert job.etag() in seen
    for name in ("events.jsonl", "log.txt", "exit.json", "STOP"):
        (job.path / name).write_text("x")
        seen.add(job.etag())
    job.write_status(step=1)
    seen.add(job.etag())
    assert len(seen) == 6 and job.etag() in seen


def test_progress_reaches_the_disk_at_most_twice_a_second_but_always_at_the_end(job, monkeypatch):
    writes = []
    write = job.write_status
    monkeypatch.setattr(job, "write_status", lambda **changes: (writes.append(changes), write(**changes)))
    for step in range(1000):
        job.progress(step, 1000, "counting")
    job.progress(1000, 1000, "counting")
    assert 2 <= len(writes) <= 6
    status = job.status()
    assert (status.step, status.total, status.note) == (1000, 1000, "counting")


def test_the_time_left_follows_from_the_pace_of_this_life_and_this_stage(job, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    job.progress(50, 100, "training")  # resumed at 50: the first fifty cost nothing
    now[0] += 10
    job.progress(60, 100, "training")
    assert job.status().eta_seconds == pytest.approx(40)
    now[0] += 10
    job.progress(0, 10, "scoring")
    assert job.status().eta_seconds is None


def test_progress_raises_when_a_stop_is_asked_for(job):
    job.progress(1, 10)
    (job.path / "STOP").touch()
    assert job.stop_requested()
    with pytest.raises(Stopped):
        job.progress(2, 10)
    with pytest.raises(Stopped):
        job.check_stop()


def test_a_summary_that_is_not_there_or_damaged_is_empty(job):
    assert job.summary() == {}
    for damaged in ("", '{"metrics": {', "[]"):
        (job.path / "summary.json").write_text(damaged)
        assert job.summary() == {}


def test_the_result_is_there_only_when_it_was_written(job):
    assert job.result() is None
    (job.path / "result.json").write_text('{"a": 1}')
    assert job.result() == {"a": 1}
