"""kill -9 of each one of the processes, and what the folder says afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from waiting import nothing_left, part, until, until_counting, until_state

from workbench import jobs
from workbench.job_folder import create_job_folder
from workbench.jobs import babysitter, failures, processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is for POSIX systems")


def test_killing_the_worker_shows_as_crashed_within_five_seconds_and_takes_its_children_along(workspace, begin):
    job = begin("count", "crashed", to=1000, children=2)
    until_counting(job)
    assert len(processes.tagged(job.path)) == 4
    part(job, "worker").kill()
    killed = time.monotonic()
    status = until_state(job, "crashed", seconds=5)
    assert time.monotonic() - killed < 5
    assert "Resume" in status.reason
    assert nothing_left(job)
    leaving = json.loads((job.path / "exit.json").read_text())
    assert (leaving["returncode"], leaving["signal"], leaving["out_of_memory"]) == (-9, 9, False)

    (job.path / "counted").write_text("998")
    jobs.resume(workspace, "crashed", works_module="toy_works")
    assert jobs.wait(job, timeout=120).state == "finished"
    assert nothing_left(job)


def test_killing_the_babysitter_takes_the_worker_and_its_children_along(workspace, begin):
    job = begin("count", "orphaned", to=1000, children=2)
    until_counting(job)
    part(job, "babysitter").kill()
    status = until_state(job, "crashed", seconds=5)
    assert "Resume" in status.reason
    assert nothing_left(job, seconds=5)
    assert job.status().state == "crashed"  # written down, so that everybody reads the same


def test_a_worker_that_goes_down_with_its_babysitter_does_not_blame_its_children(workspace, begin):
    for attempt in range(3):  # the error of the main thread races with the kill
        job = begin("lean", f"leaning-{attempt}")
        until(lambda job=job: job.status().total)
        part(job, "babysitter").kill()
        until_state(job, "crashed", seconds=5)
        assert nothing_left(job, seconds=5) and job.last_event("failed") is None


def test_killing_the_babysitter_takes_a_waiting_worker_along(workspace, begin):
    begin("count", "busy", to=1000)
    job = begin("count", "waiting", to=1)
    until(lambda: "busy" in job.status().note)
    part(job, "babysitter").kill()
    until_state(job, "crashed", seconds=5)
    assert nothing_left(job, seconds=5)


def test_killing_babysitter_and_worker_together_leaves_nothing_once_somebody_looks(workspace, begin):
    job = begin("count", "both", to=1000, children=2)
    until_counting(job)
    for process in (part(job, "babysitter"), part(job, "worker")):
        process.kill()
    until_state(job, "crashed", seconds=5)
    assert nothing_left(job, seconds=5)


def test_killing_a_child_is_the_work_s_own_affair(workspace, begin):
    job = begin("count", "bereft", to=15, children=1)
    until_counting(job)
    [child] = [p for p in processes.tagged(job.path) if "workbench.jobs" not in " ".join(p.cmdline())]
    child.kill()
    assert jobs.wait(job, timeout=120).state == "finished"
    assert nothing_left(job)


def test_killing_the_app_leaves_the_run_going_and_a_new_app_finds_it(workspace, begin, tmp_path):
    script = (
        "import sys, time\n"
        "from workbench import jobs\n"
        "from workbench.workspace import open_workspace\n"
        "jobs.start(open_workspace(sys.argv[1]), 'count', 'survivor', {'to': 25}, works_module='toy_works')\n"
        "print('started', flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], *filter(None, sys.path)])}
    app = subprocess.Popen(
        [sys.executable, "-c", script, str(workspace.root)],
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    assert app.stdout is not None and app.stdout.readline() == b"started\n"
    os.killpg(app.pid, signal.SIGKILL)
    app.wait()
    app.stdout.close()
    [job] = jobs.list_jobs(workspace)
    try:
        until_counting(job)
        assert jobs.wait(job, timeout=120).state == "finished"
        assert nothing_left(job)
    finally:
        processes.kill_tagged(job.path)


def test_children_that_outlive_a_finished_work_are_ended(workspace, begin):
    job = begin("count", "messy", to=1, children=3)
    assert jobs.wait(job, timeout=120).state == "finished"
    assert nothing_left(job)


def test_a_crash_inside_a_library_names_the_signal(workspace, begin):
    job = begin("break", "segfault", how="segfault")
    status = jobs.wait(job, timeout=120)
    assert status.state == "crashed" and "SIGSEGV" in status.reason
    assert "Segmentation fault" in (job.path / "log.txt").read_text()  # faulthandler's report


def test_a_kill_counts_as_out_of_memory_only_when_the_system_was_ending_processes_for_it(workspace, monkeypatch):
    job = create_job_folder(
        workspace.run("heavy"), "train", {"settings": {"batch_size": 64, "mini_batch_size": 32}}, {}
    )
    for kills_after, verdict, state in ((3, False, "crashed"), (4, True, "failed"), (None, False, "crashed")):
        monkeypatch.setattr(failures, "count_out_of_memory_kills", lambda kills=kills_after: kills)
        ending = babysitter.Ending(-9)
        assert babysitter._out_of_memory(job, ending, 0.0, kills_before=3) is verdict
        job.write_status(state="running", reason="")
        babysitter.write_last_state(job, ending, verdict)
        assert job.status().state == state
        assert ("mini-batch of 16 in place of 32" in job.status().reason) is verdict
