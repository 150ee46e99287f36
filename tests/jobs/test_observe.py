from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import psutil
from waiting import part, until, until_counting

from workbench import jobs
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs import processes


def test_a_pid_used_again_after_a_reboot_is_not_mistaken_for_the_worker(workspace):
    job = create_job_folder(workspace.run("rebooted"), "train", {}, {})
    job.write_status(state="running", pid=os.getpid(), create_time=psutil.Process().create_time() - 100_000)
    status = jobs.watch(job)
    assert status.state == "crashed" and "restarted" in status.reason
    assert job.status().state == "crashed"


def test_a_zombie_is_dead(workspace):
    job = create_job_folder(workspace.run("zombie"), "train", {}, {})
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    job.write_status(state="running", **processes.identity(child.pid))
    assert jobs.watch(job).state == "running"
    child.kill()
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert jobs.watch(job).state == "crashed"
    child.communicate()


def test_a_clock_set_by_an_hour_does_not_make_a_living_worker_crashed(workspace, begin):
    job = begin("count", "clock", to=1000)
    status = until_counting(job)
    assert processes.is_alive(status.pid, status.create_time + 3600, job.path)
    assert not processes.is_alive(status.pid, status.create_time + 3600, workspace.job("other"))


def test_half_a_status_is_survived_by_watching_and_by_the_worker(workspace, begin):
    job = begin("count", "half", to=20)
    until_counting(job)
    (job.path / "status.json").write_text('{"state": "runn')
    assert not jobs.watch(job).ended
    status = until(lambda: (now := job.status()).step > 0 and now)
    assert status.state == "running" and status.pid == part(job, "worker").pid
    assert jobs.wait(job, timeout=120).state == "finished"


def test_half_a_status_of_a_job_with_nobody_left_is_crashed(workspace):
    job = create_job_folder(workspace.run("half"), "train", {}, {})
    (job.path / "status.json").write_text("")
    assert jobs.watch(job).state == "crashed"


def test_a_job_just_started_is_queued_until_its_process_had_time_to_come(workspace):
    job = create_job_folder(workspace.run("fresh"), "train", {}, {})
    assert jobs.watch(job).state == "queued"
    status = json.loads((job.path / "status.json").read_text())
    (job.path / "status.json").write_text(json.dumps({**status, "updated": time.time() - 60}))
    assert jobs.watch(job).state == "crashed"


def test_jobs_are_listed_by_work_and_collection_and_read_once(workspace, monkeypatch):
    for name, work, collection in (("a", "check", "words"), ("b", "check", "other"), ("c", "mine", "words")):
        create_job_folder(workspace.job(name), work, {"collection": collection}, {})
    read, times = JobFolder.job.fget, []
    monkeypatch.setattr(JobFolder, "job", property(lambda job: (times.append(job.name), read(job))[1]))
    assert {job.name for job in jobs.list_jobs(workspace, "check", "mine")} == {"a", "b", "c"}
    assert sorted(times) == ["a", "b", "c"]
    assert [job.name for job in jobs.list_jobs(workspace, "check", collection="words")] == ["a"]
    assert {job.name for job in jobs.list_jobs(workspace, collection="words")} == {"a", "c"}


def test_folders_without_a_readable_job_json_are_skipped(workspace):
    workspace.run("empty").mkdir()
    damaged = create_job_folder(workspace.run("damaged"), "train", {}, {})
    (damaged.path / "job.json").write_text('{"work": "tr')
    odd = create_job_folder(workspace.run("odd"), "train", {}, {})
    (odd.path / "job.json").write_text('{"work": "train", "created": "soon", "spec": {}}')
    (workspace.runs / ".whole.removed.x").mkdir()
    (workspace.runs / "notes.txt").write_text("mine")
    older = create_job_folder(workspace.run("older"), "train", {}, {})
    newer = create_job_folder(workspace.run("newer"), "train", {}, {})
    assert [job.path for job in jobs.list_runs(workspace)] == [newer.path, older.path]


def test_waiting_ends_after_its_timeout_with_the_state_so_far(workspace, begin):
    job = begin("count", "long", to=1000)
    began = time.monotonic()
    assert not jobs.wait(job, timeout=1).ended
    assert time.monotonic() - began < 5


def test_a_removed_folder_is_crashed_and_not_an_exception(workspace):
    job = create_job_folder(workspace.run("gone"), "train", {}, {})
    job.write_status(state="running", pid=None)
    shutil.rmtree(job.path)
    assert jobs.watch(job).state == "crashed"
    assert not job.path.exists()
