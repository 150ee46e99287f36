from __future__ import annotations

from waiting import nothing_left, part, until, until_counting, until_state

from workbench import jobs


def test_jobs_take_turns_on_the_device_in_the_order_of_their_creation(workspace, begin):
    first = begin("count", "first", to=10_000)
    until_counting(first)
    second, third = begin("count", "second", to=2), begin("count", "third", to=2)
    until(lambda: third.status().note == "Waiting for first, second.")
    assert jobs.watch(second).state == jobs.watch(third).state == "queued"
    (workspace.root / "enough").touch()
    for job in (first, second, third):
        assert jobs.wait(job, timeout=120).state == "finished"
    order = (workspace.root / "order.txt").read_text().split("\n")[:-1]
    assert order == [f"{what} {name}" for name in ("first", "second", "third") for what in ("begin", "end")]


def test_a_job_that_waits_stops_at_once_and_holds_nobody_up(workspace, begin):
    first = begin("count", "first", to=1000)
    until_counting(first)
    second, third = begin("count", "second", to=2), begin("count", "third", to=2)
    until(lambda: "second" in third.status().note)
    jobs.stop(second)
    assert until_state(second, "stopped", seconds=5).step == 0
    jobs.stop(first)
    assert jobs.wait(third, timeout=120).state == "finished"
    assert "second" not in (workspace.root / "order.txt").read_text()
    assert nothing_left(second)


def test_a_waiting_job_that_was_killed_does_not_block_those_behind_it(workspace, begin):
    first = begin("count", "first", to=1000)
    until_counting(first)
    second, third = begin("count", "second", to=2), begin("count", "third", to=2)
    until(lambda: "second" in third.status().note)
    for process in (part(second, "babysitter"), part(second, "worker")):
        process.kill()
    part(first, "worker").kill()
    assert jobs.wait(third, timeout=120).state == "finished"
    assert jobs.watch(second).state == "crashed"
