"""The order of the queue, and changing it."""

from __future__ import annotations

import threading

import pytest
from waiting import until, until_counting

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import JobFolder, create_job_folder
from workbench.jobs.devices import Device
from workbench.jobs.line import Line, moved, put_back
from workbench.jobs.queue import plan
from workbench.jobs.rules import read_rules


def waiting(workspace, *names, **spec):
    """Jobs that wait; nothing runs. A job just made needs no process for half a minute."""
    return [create_job_folder(workspace.run(name), "train", spec, {}) for name in names]


def names(workspace):
    return [one.name for one in jobs.the_line(workspace)[1]]


def test_a_waiting_job_is_moved_and_starts_when_it_says(workspace, begin):
    first = begin("count", "first", to=10_000)
    until_counting(first)
    others = [begin("count", name, to=1) for name in ("second", "third", "fourth")]
    until(lambda: others[-1].status().note == "Waiting for first, second and 1 more.")
    assert jobs.move(workspace, "fourth", "first") == ["fourth", "second", "third"]
    with pytest.raises(WorkbenchError, match="“first” does not wait in the queue: it is running"):
        jobs.move(workspace, "first", "up")
    until(lambda: others[-1].status().note == "Waiting for first.")
    (workspace.root / "enough").touch()
    for job in (first, *others):
        assert jobs.wait(job, timeout=120).state == "finished"
    order = [line for line in (workspace.root / "order.txt").read_text().splitlines() if line.startswith("begin")]
    assert order == ["begin first", "begin fourth", "begin second", "begin third"]


@pytest.mark.parametrize(
    ("name", "where", "after"),
    [("c", "first", "cabd"), ("c", "up", "acbd"), ("c", "down", "abdc"), ("a", "last", "bcda"), ("a", "up", "abcd"),
     ("d", "down", "abcd")],
)  # fmt: skip
def test_a_name_is_moved_among_the_others(name, where, after):
    assert "".join(moved(list("abcd"), name, where)) == after


def test_the_order_is_on_disk_and_a_new_job_of_an_old_name_has_none_of_it(workspace):
    waiting(workspace, "a", "b", "c")
    jobs.move(workspace, "c", "first")
    assert names(workspace) == ["c", "a", "b"]  # read anew, as another process does
    waiting(workspace, "d")
    assert names(workspace) == ["c", "a", "b", "d"]
    JobFolder(workspace.run("c")).write_status(state="stopped")
    jobs.remove(workspace, "c")
    waiting(workspace, "c")
    assert names(workspace) == ["a", "b", "d", "c"]
    jobs.move(workspace, "d", "up")
    assert set(read_rules(workspace).places) == {"a", "b", "c", "d"} and names(workspace) == ["a", "d", "b", "c"]


def test_pages_that_move_at_once_lose_no_job_and_no_move(workspace):
    given = list("abcdef")
    waiting(workspace, *given)
    threads = [threading.Thread(target=jobs.move, args=(workspace, name, "last")) for name in given * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(workspace)) == given
    for name in reversed(given):
        jobs.move(workspace, name, "first")
    assert names(workspace) == given


def test_a_job_that_was_set_aside_is_put_before_all_that_wait_even_those_that_were_moved(workspace):
    running, *_ = waiting(workspace, "running", "b", "c")
    jobs.move(workspace, "c", "first")
    assert names(workspace)[0] == "c"
    put_back(workspace, running)
    assert names(workspace) == ["running", "c", "b"]


def test_a_look_reads_only_what_has_changed(workspace, monkeypatch):
    first, *_ = waiting(workspace, "a", "b", "c")
    line, read, times = Line(workspace), JobFolder.job.fget, []
    line.look()
    monkeypatch.setattr(JobFolder, "job", property(lambda job: (times.append(job.name), read(job))[1]))
    for _ in range(5):
        line.look()
    assert times == []
    first.write_status(note="anything")
    assert [one.status.note for one in line.look()[1]] == ["anything", "", ""]
    assert times == ["a"]
    first.write_status(state="stopped")
    assert [one.name for one in line.look()[1]] == ["b", "c"]


def test_a_plan_gives_what_is_free_in_turn_and_leaves_to_others_what_they_name(workspace):
    devices = [Device("cuda:0", "a"), Device("cuda:1", "b"), Device("cpu", "", spare=True)]
    [running] = waiting(workspace, "running")
    running.write_status(state="running", device="cuda:0")
    a, b = waiting(workspace, "a", "b")
    [named] = waiting(workspace, "named", device="cuda:1")
    [slow] = waiting(workspace, "slow", device="cpu")

    def planned(job):
        device = plan(devices, *Line(workspace).look(), job)
        return device and device.name

    assert [planned(job) for job in (a, b, named, slow)] == ["cuda:1", None, None, "cpu"]
    running.write_status(state="finished")
    assert [planned(job) for job in (a, b, named, slow)] == ["cuda:0", "cuda:1", None, "cpu"]
    b.write_status(state="stopped")
    assert [planned(job) for job in (a, named)] == ["cuda:0", "cuda:1"]  # not the other way round
    assert plan(devices, *Line(workspace).look(), a, {"device-default.lock"}) == devices[1]
