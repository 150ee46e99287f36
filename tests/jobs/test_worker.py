from __future__ import annotations

import json

import pytest

from workbench import jobs


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("words", "The table has one column."),
        ("surprise", "no words for: KeyError: 'missing'"),
        ("cpu memory", "Memory ran out. Start it again with a mini-batch of 16 in place of 32"),
        ("disk", "is full. Free some space"),
        ("exit", "SystemExit: 3"),
    ],
)
def test_a_work_that_fails_says_why_in_one_sentence_and_keeps_its_traceback_in_the_log(workspace, begin, how, reason):
    job = begin("break", "broken", how=how, settings={"mini_batch_size": 32, "batch_size": 128})
    status = jobs.wait(job, timeout=120)
    assert status.state == "failed"
    sentence, *problems = status.reason.splitlines()
    assert reason in sentence
    failed = job.last_event("failed")
    assert failed["reason"] == status.reason
    assert failed["problems"] == problems == (["Row 1: nothing.", "Row 2: nothing."] if how == "words" else [])
    log = (job.path / "log.txt").read_text()
    assert "Traceback" in log and "break_down" in log
    leaving = json.loads((job.path / "exit.json").read_text())
    assert leaving["returncode"] == 1
    assert leaving["out_of_memory"] is (how == "cpu memory")
    advice = job.last_event("advice")
    assert (advice and advice["value"]) == (16 if how == "cpu memory" else None)


def test_a_failed_job_can_be_resumed_and_does_not_inherit_the_verdict(workspace, begin):
    job = begin("break", "again", how="cpu memory")
    jobs.wait(job, timeout=120)
    described = job.job
    (job.path / "job.json").write_text(json.dumps({**described, "spec": {"how": "surprise"}}))
    jobs.resume(workspace, "again", works_module="toy_works")
    assert "KeyError" in jobs.wait(job, timeout=120).reason
    assert json.loads((job.path / "exit.json").read_text())["out_of_memory"] is False
