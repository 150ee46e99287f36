"""The queue paused: what waits says so, what runs is set aside and goes on, and none of it is lost by a kill."""

from __future__ import annotations

import json
import threading
import time

import pytest
from waiting import nothing_left, part, until, until_counting, until_state

from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.job_folder import create_job_folder
from workbench.jobs import babysitter
from workbench.jobs.hours import Hours, in_words, read_hours, read_moment
from workbench.jobs.rules import Pause, Rules, change_rules, held, read_rules


def moment(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))


@pytest.fixture
def berlin(monkeypatch):
    """The clock of a place that changes to summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_nothing_new_starts_while_the_queue_is_paused_but_what_needs_no_device(workspace, begin):
    jobs.pause(workspace, "23:59")
    held_up, free = begin("count", "held-up", to=1), begin("import", "free", to=1)
    assert jobs.wait(free, timeout=120).state == "finished"
    until(lambda: held_up.status().note == jobs.hold_now(workspace).words)
    assert held_up.status().note.startswith("Paused until 23:59") and jobs.watch(held_up).state == "queued"
    jobs.go_on(workspace)
    assert jobs.wait(held_up, timeout=120).state == "finished"


def test_what_runs_is_set_aside_at_once_and_goes_on_first_from_where_it_was(workspace, begin):
    run = begin("train", "run", to=30, children=1)
    until(lambda: run.status().step > 1)
    other = begin("count", "other", to=1)
    until(lambda: "run" in other.status().note)
    jobs.move(workspace, "other", "first")
    jobs.pause(workspace, at_once=True)
    until(lambda: run.status().note == "Paused. The queue goes on when you say so.")
    assert jobs.watch(run).state == jobs.watch(other).state == "queued"
    assert run.last_event("stopped")["paused"] is True and not (run.path / "exit.json").exists()
    saved = int((run.path / "counted").read_text())
    jobs.go_on(workspace)
    assert jobs.wait(run, timeout=120).state == jobs.wait(other, timeout=120).state == "finished"
    assert run.result()["first"] >= saved > 0 and nothing_left(run)
    assert (workspace.root / "order.txt").read_text().split("\n")[:4] == [
        "begin run",
        "begin run",
        "end run",
        "begin other",
    ]


def test_a_pause_after_what_runs_lets_it_end_and_so_does_a_work_that_would_lose_what_it_has_done(workspace, begin):
    run = begin("train", "run", to=10)
    until_counting(run)
    jobs.pause(workspace)
    assert jobs.wait(run, timeout=120).state == "finished"
    jobs.go_on(workspace)
    mining = begin("count", "mining", to=25)
    until_counting(mining)
    jobs.pause(workspace, at_once=True)
    assert jobs.wait(mining, timeout=120).state == "finished"


def test_a_pause_ends_by_itself_and_outlives_whoever_began_it(workspace, begin):
    ends = time.time() + 4
    change_rules(workspace, lambda rules: Rules(Pause(time.time(), ends, True), places=rules.places))
    job = begin("train", "later", to=1)
    until(lambda: job.status().note.startswith("Paused until"))
    assert jobs.wait(job, timeout=120).state == "finished"
    assert job.last_event("progress")["time"] >= round(ends, 3) - 0.001  # events tell thousandths


def test_a_run_that_waits_in_a_pause_can_be_stopped_removed_and_killed_and_is_never_said_to_have_crashed_before(
    workspace, begin
):
    run = begin("train", "run", to=1000)
    until(lambda: run.status().step > 1)
    jobs.pause(workspace, at_once=True)
    until(lambda: run.status().note.startswith("Paused"))
    first = run.status().pid
    part(run, "worker").kill()
    assert "Resume" in until_state(run, "crashed").reason and nothing_left(run)
    jobs.resume(workspace, "run", works_module="toy_works")
    until(lambda: run.status().note.startswith("Paused") and run.status().pid not in (None, first))
    assert jobs.watch(run).state == "queued"
    jobs.stop(run)
    assert jobs.wait(run, timeout=60).state == "stopped"
    jobs.resume(workspace, "run", works_module="toy_works")
    jobs.go_on(workspace)
    until(lambda: run.status().step > 2)
    jobs.stop(run)
    jobs.wait(run, timeout=60)
    jobs.remove(workspace, "run")
    assert not run.path.exists()


def test_killing_the_babysitter_of_a_run_that_is_set_aside_leaves_it_resumable(workspace, begin):
    run = begin("train", "run", to=25)
    until(lambda: run.status().step > 1)
    jobs.pause(workspace, at_once=True)
    until(lambda: run.status().note.startswith("Paused"))
    part(run, "babysitter").kill()
    until_state(run, "crashed", seconds=10)
    jobs.go_on(workspace)
    jobs.resume(workspace, "run", works_module="toy_works")
    assert jobs.wait(run, timeout=120).state == "finished" and run.result()["first"] > 0


def test_a_worker_that_does_not_leave_for_a_pause_is_set_aside_all_the_same_and_a_stop_wins(workspace):
    job = create_job_folder(workspace.run("deaf"), "train", {}, {})
    for returncode, seconds, stop, state, aside in (
        (-9, 120.0, False, "running", True),
        (75, None, False, "queued", True),
        (-9, None, False, "running", False),  # killed by somebody else
        (0, None, False, "finished", False),
        (-15, 120.0, False, "finished", False),  # it hung after its last words
        (75, None, True, "queued", False),
    ):
        job.write_status(state=state, note="")
        (job.path / "PAUSE").touch()
        if stop:
            (job.path / "STOP").touch()
        ending = babysitter.Ending(returncode, seconds)
        assert babysitter.set_aside(workspace, job, ending) is aside
        assert job.status().state == ("queued" if aside else state)
    babysitter.write_last_state(job, ending, out_of_memory=False)
    assert (job.status().state, job.status().reason) == ("stopped", "")


def test_hours_hold_the_queue_outside_them_set_aside_what_runs_and_can_be_passed_over_once(berlin):
    rules = Rules(hours=read_hours("20:00", "7:00"))
    night, noon, evening = (moment(f"2026-05-04 {clock}") for clock in ("03:00", "12:00", "20:00"))
    assert held(rules, night) is None and held(rules, evening) is None
    hold = held(rules, noon)
    assert (hold.until, hold.at_once) == (evening, True)
    assert hold.words == "Paused until 20:00. The queue works between 20:00 and 07:00."
    early = moment("2026-05-04 05:00")
    paused = Rules(Pause(noon - 86400, early), rules.hours)
    assert held(paused, night).until == early  # in the hours: on it goes
    both = Rules(Pause(night, noon), rules.hours)
    assert held(both, night).until == evening and not held(both, night).at_once
    assert held(Rules(hours=rules.hours, open_until=evening), noon) is None
    assert Hours("08:00", "12:30").hold(noon) and not Hours("08:00", "12:00").hold(noon)


def test_going_on_outside_the_hours_passes_them_over_until_they_begin_again(workspace, monkeypatch):
    now = moment("2026-05-04 12:00")
    monkeypatch.setattr("workbench.jobs.rules.time.time", lambda: now)
    jobs.work_between(workspace, "20:00", "07:00")
    assert jobs.hold_now(workspace).at_once
    jobs.pause(workspace)
    jobs.go_on(workspace)
    assert jobs.hold_now(workspace) is None
    now = moment("2026-05-05 08:00")
    assert jobs.hold_now(workspace).until == moment("2026-05-05 20:00")
    jobs.work_always(workspace)
    assert jobs.hold_now(workspace) is None


def test_a_time_is_the_next_one_that_the_clock_shows_and_a_wrong_one_is_told_in_words(berlin):
    now = moment("2026-03-28 12:00")  # the night before summer time: it has no 02:30
    for text, when in (("13:00", "2026-03-28 13:00"), ("7:00", "2026-03-29 07:00"), ("12:00", "2026-03-29 12:00")):
        assert read_moment(text, now) == moment(when)
    assert read_moment("2:30", now) - now == pytest.approx(14.5 * 3600)
    assert in_words(read_moment("7:00", now), now) == "07:00 tomorrow"
    assert in_words(read_moment("2026-11-22 07:00", now), now) == "07:00 on 22 November 2026"
    for text, words in (("soon", "is no time"), ("24:00", "no time of day"), ("2026-03-30", "is no time"),
                        ("2026-03-28 11:00", "has passed: it is 12:00 on 28 March 2026 now")):  # fmt: skip
        with pytest.raises(WorkbenchError, match=words):
            read_moment(text, now)
    with pytest.raises(WorkbenchError, match="no time at all"):
        read_hours("8:00", "08:00")


def test_a_clock_that_was_set_back_is_told(berlin):
    noon = moment("2026-05-04 12:00")
    rules = Rules(Pause(noon, noon + 3600))
    assert "set back" not in held(rules, noon + 60).words
    assert (
        held(rules, noon - 7200).words == "Paused until 13:00. The clock of this computer has been set back since then."
    )
    assert held(rules, noon + 3600) is None


@pytest.mark.parametrize(
    "text", ["", "{half", "[]", '{"pause": 3}', '{"hours": {"begin": "9"}}', '{"places": {"a": 1}}']
)
def test_rules_that_cannot_be_read_hold_nobody_and_are_replaced_by_the_next(workspace, text):
    workspace.queue.write_text(text)
    assert read_rules(workspace) == Rules()
    jobs.pause(workspace)
    assert json.loads(workspace.queue.read_text())["pause"]["until"] is None


def test_pages_that_change_the_rules_at_once_lose_nothing_of_each_other(workspace):
    create_job_folder(workspace.run("a"), "train", {}, {})
    changes = [
        lambda: jobs.pause(workspace),
        lambda: jobs.work_between(workspace, "20:00", "07:00"),
        lambda: jobs.move(workspace, "a", "first"),
    ]
    threads = [threading.Thread(target=change) for change in changes * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rules = read_rules(workspace)
    assert rules.pause is not None and rules.hours == Hours("20:00", "07:00") and "a" in rules.places
