from __future__ import annotations

import json
import os
import threading

import pytest
from waiting import nothing_left, part, until, until_counting, until_state

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.jobs import processes


def test_a_job_finishes_with_its_result_its_events_and_nothing_left_running(workspace, begin):
    job = begin("count", "first", to=3)
    seen = []
    status = jobs.wait(job, seen.append, timeout=120)
    assert (status.state, status.reason) == ("finished", "")
    assert job.result() == {"first": 0, "counted": 3, "score": None}  # NaN is no JSON
    assert [event["event"] for event in job.events()] == ["started", "finished"]
    leaving = json.loads((job.path / "exit.json").read_text())
    assert (leaving["returncode"], leaving["signal"], leaving["out_of_memory"]) == (0, None, False)
    assert {"queued", "running", "finished"} <= {status.state for status in seen}
    assert nothing_left(job)
    assert not (job.path / ".room").exists()


def test_a_run_goes_to_runs_and_every_other_work_to_jobs(workspace, begin):
    run, other = begin("train", "a-run", to=1), begin("count", "a-job", to=1)
    assert run.path == workspace.run("a-run") and other.path == workspace.job("a-job")
    for job in (run, other):
        jobs.wait(job, timeout=120)
    assert [job.name for job in jobs.list_runs(workspace)] == ["a-run"]
    assert [job.name for job in jobs.list_jobs(workspace)] == ["a-job"]
    assert jobs.find(workspace, "a-job").path == other.path


def test_job_json_tells_the_versions_and_is_there_before_the_start(workspace, begin):
    job = begin("count", "versions", to=1)
    described = job.job
    assert described["spec"] == {"to": 1} and described["work"] == "count"
    assert {"torch", "sentence-transformers", "python", "workbench"} <= described["versions"].keys()
    jobs.wait(job, timeout=120)


def test_a_name_that_is_taken_or_not_allowed_and_an_unknown_work_are_refused(workspace, begin):
    begin("count", "taken", to=1)
    with pytest.raises(WorkbenchError, match="already a run or job named “taken”"):
        begin("count", "taken", to=1)
    with pytest.raises(WorkbenchError, match="already a run or job named “taken”"):
        begin("train", "taken", to=1)  # although runs/taken is free: one name, one thing
    with pytest.raises(WorkbenchError, match="cannot be the name"):
        begin("count", "../escape", to=1)
    with pytest.raises(WorkbenchError, match="no work called “os:system”"):
        begin("os:system", "evil", to=1)
    assert not workspace.job("evil").exists()


def test_a_job_json_cannot_name_code_to_run(workspace, begin):
    job = begin("count", "forged", to=1000)
    until_counting(job)
    jobs.stop(job)
    jobs.wait(job, timeout=120)
    forged = {**job.job, "work": "os:getcwd", "works": "toy_works", "spec": {"works_module": "toy_works"}}
    (job.path / "job.json").write_text(json.dumps(forged))
    with pytest.raises(WorkbenchError, match="no work called “os:getcwd”"):
        jobs.resume(workspace, "forged")
    (job.path / "job.json").write_text(json.dumps({**forged, "work": "count"}))
    with pytest.raises(WorkbenchError, match="no work called “count”"):
        jobs.resume(workspace, "forged")  # the tests' works exist only where the caller names their module


def test_stop_lets_the_work_leave_and_resume_goes_on_where_it_left(workspace, begin):
    job = begin("count", "stopped", to=12)
    until_counting(job)
    jobs.stop(job)
    assert jobs.watch(job).state in ("stopping", "stopped")
    assert jobs.wait(job, timeout=120).state == "stopped"
    assert job.last_event("stopped") is not None and nothing_left(job)

    jobs.resume(workspace, "stopped", works_module="toy_works")
    assert not (job.path / "STOP").exists()
    assert jobs.wait(job, timeout=120).state == "finished"
    assert job.result()["first"] >= 1
    with pytest.raises(WorkbenchError, match="has finished"):
        jobs.resume(workspace, "stopped", works_module="toy_works")


def test_a_work_that_ignores_the_request_is_ended_after_the_grace_period(workspace, begin):
    job = begin("deaf", "deaf")
    until_state(job, "running")
    jobs.stop(job)  # two minutes, if nobody asks again
    assert not jobs.wait(job, timeout=1.5).ended
    jobs.stop(job, grace_seconds=0.5)
    status = jobs.wait(job, timeout=120)
    assert status.state == "stopped" and "did not stop by itself" in status.reason
    assert nothing_left(job)


def test_a_work_that_ignores_even_the_signal_is_killed(workspace, begin, monkeypatch):
    job = begin("deaf", "stubborn", stubborn=True)
    until(lambda: job.status().total)
    jobs.stop(job, grace_seconds=0)
    status = jobs.wait(job, timeout=120)
    assert status.state == "stopped" and "so it was ended" in status.reason
    assert json.loads((job.path / "exit.json").read_text())["signal"] == 9


def test_the_babysitter_asks_for_a_stop_when_the_computer_shuts_down(workspace, begin):
    job = begin("count", "shutdown", to=1000)
    until_counting(job)
    part(job, "babysitter").terminate()
    assert jobs.wait(job, timeout=120).state == "stopped"


def test_a_worker_told_to_leave_by_another_program_clears_up_and_can_be_resumed(workspace, begin):
    job = begin("deaf", "terminated")
    until_state(job, "running")
    part(job, "worker").terminate()
    status = jobs.wait(job, timeout=120)
    assert status.state == "stopped" and "Resume" in status.reason


def test_a_running_job_can_neither_be_removed_nor_resumed_and_an_ended_one_goes_whole(workspace, begin):
    job = begin("count", "removed", to=1000)
    until_counting(job)
    with pytest.raises(WorkbenchError, match=r"still running\. Stop it first"):
        jobs.remove(workspace, "removed")
    with pytest.raises(WorkbenchError, match="still running"):
        jobs.resume(workspace, "removed", works_module="toy_works")
    jobs.stop(job)
    until(lambda: jobs.watch(job).ended)
    jobs.remove(workspace, "removed")
    assert list(workspace.jobs.iterdir()) == []
    with pytest.raises(WorkbenchError, match="no run or job named “removed”"):
        jobs.remove(workspace, "removed")
    with pytest.raises(WorkbenchError, match="no run or job named “removed”"):
        jobs.find(workspace, "removed")


def test_two_programs_that_resume_at_once_start_one_worker(workspace, begin):
    job = begin("count", "twice", to=15)
    until_counting(job)
    jobs.stop(job)
    jobs.wait(job, timeout=120)
    outcomes = []

    def resume() -> None:
        try:
            outcomes.append(jobs.resume(workspace, "twice", works_module="toy_works").name)
        except WorkbenchError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=resume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == sorted(["twice"] + ["“twice” is still running, so it cannot be resumed."] * 3)
    until_counting(job)
    workers = [p for p in processes.tagged(job.path) if "workbench.jobs.worker" in p.cmdline()]
    assert len(workers) == 1
    assert jobs.wait(job, timeout=120).state == "finished"


def test_a_second_babysitter_of_the_same_job_leaves_again(workspace, begin):
    from workbench.jobs import control

    job = begin("count", "second", to=1000)
    until_counting(job)
    first = part(job, "babysitter").pid
    control._spawn_babysitter(workspace, job, "toy_works")
    until(lambda: len([p for p in processes.tagged(job.path) if "workbench.jobs.babysitter" in p.cmdline()]) == 2)
    until(lambda: "looks after" in (job.path / "log.txt").read_text(), seconds=30)
    assert jobs.watch(job).state == "running" and part(job, "babysitter").pid == first


def test_ended_babysitters_do_not_stay_behind_as_zombies(workspace, begin):
    import psutil

    job = begin("count", "reaped", to=1)
    jobs.wait(job, timeout=120)
    until(lambda: not [p for p in psutil.Process(os.getpid()).children() if p.status() == psutil.STATUS_ZOMBIE])


def test_a_free_name_counts_on_from_what_runs_and_jobs_have(workspace):
    assert jobs.free_name(workspace, "import-emoji") == "import-emoji"
    workspace.job("import-emoji").mkdir()
    workspace.run("import-emoji-2").mkdir()
    assert jobs.free_name(workspace, "import-emoji") == "import-emoji-3"
