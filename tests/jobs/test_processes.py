from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from workbench.jobs import processes
from workbench.jobs.works import WORKS, check_work, load_work, uses_device


def sleeper(folder, code: str = "import time; time.sleep(600)", **options) -> subprocess.Popen:
    environment = {**os.environ, processes.TAG: processes.tag_value(folder)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, **options)


def test_processes_are_found_and_killed_by_tag_in_whatever_session_they_live(tmp_path):
    mine = [sleeper(tmp_path / "a"), sleeper(tmp_path / "a", start_new_session=True)]
    other = sleeper(tmp_path / "a-longer-name")
    try:
        assert {process.pid for process in processes.tagged(tmp_path / "a")} == {process.pid for process in mine}
        assert {p.pid for p in processes.tagged(tmp_path / "a", but=mine[0].pid)} == {mine[1].pid}
        assert processes.kill_tagged(tmp_path / "a") == 2
        assert processes.tagged(tmp_path / "a") == []
        assert other.poll() is None
    finally:
        for process in (*mine, other):
            process.kill()
            process.wait()


def test_a_process_that_keeps_starting_others_is_swept_whole(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "end = time.monotonic() + 20\n"
        "while time.monotonic() < end:\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "    time.sleep(0.1)\n"
    )
    process = sleeper(tmp_path, code)
    try:
        time.sleep(1.0)
        assert processes.kill_tagged(tmp_path) > 2
        assert processes.tagged(tmp_path) == []
    finally:
        process.kill()
        process.wait()
        processes.kill_tagged(tmp_path)


def test_a_folder_reached_by_a_link_carries_the_same_tag(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert processes.tag_value(tmp_path / "link") == processes.tag_value(tmp_path / "real")


def test_this_process_is_alive_and_one_that_never_was_is_not(tmp_path):
    me = processes.identity()
    assert processes.is_alive(me["pid"], me["create_time"], tmp_path)
    assert not processes.is_alive(me["pid"], me["create_time"] - 60, tmp_path)
    assert not processes.is_alive(None, None, tmp_path)
    assert not processes.is_alive(me["pid"], None, tmp_path)
    assert not processes.is_alive(2**22 + 5, me["create_time"], tmp_path)


@pytest.mark.parametrize("work", list(WORKS))
def test_every_work_names_a_function_that_is_there(work):
    assert callable(load_work(work))


def test_bringing_and_taking_away_need_no_device():
    without = [work for work in WORKS if not uses_device(check_work(work), {"model": "m"})]
    assert without == ["map", "verify-index", "export-index", "import", "export", "push"]
    assert not uses_device("check", {"model": None})
