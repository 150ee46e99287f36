"""The pieces of HTML: everything from outside is escaped, everything wrong is readable."""

from __future__ import annotations

from workbench.job_folder import Status
from workbench.ui import cards

NASTY = "<img src=x onerror=alert(1)>\"'"


def test_every_piece_escapes_what_it_is_given() -> None:
    pieces = [
        cards.heading(NASTY),
        cards.empty(NASTY),
        cards.button(NASTY, NASTY, name=NASTY),
        cards.chip(NASTY),
        cards.notice(NASTY, [NASTY]),
        cards.figure(NASTY, NASTY, NASTY),
        cards.stats([(NASTY, NASTY)]),
        cards.table([NASTY], [], caption=NASTY),
        cards.progress(NASTY, Status(state="running", note=NASTY, total=3)),
        cards.media("image", NASTY, NASTY, NASTY, NASTY),
        cards.media("audio", NASTY, NASTY, NASTY, NASTY),
        cards.media("video", NASTY, NASTY, NASTY, NASTY),
        cards.words_box(NASTY),
        cards.chooser(NASTY, NASTY, [(NASTY, NASTY), ("b", "b")], NASTY),
        cards.remove("run", cards.text(NASTY), NASTY),
    ]
    for piece in pieces:
        assert "<img src=x" not in piece
        assert "onerror=alert(1)&gt;" in piece or "onerror" not in piece


def test_a_notice_lists_every_problem() -> None:
    problems = [f"Row {row}: the picture is missing." for row in range(200)]
    shown = cards.notice("Nothing was imported.", problems)
    assert shown.count("<li>") == 200
    assert 'role="alert"' in shown


def test_the_same_message_raised_again_is_a_new_one() -> None:
    assert cards.notice("Again.") != cards.notice("Again.")


def test_progress_says_how_far_and_how_long() -> None:
    shown = cards.progress("Importing", Status(state="running", step=50, total=200, eta_seconds=75.0, note="Reading"))
    assert "Reading · 50 of 200 · about 1 min 20 s left" in shown
    assert 'aria-valuenow="25"' in shown


def test_a_select_of_one_thing_is_not_shown() -> None:
    assert cards.chooser("run", "Run", [("a", "a")], "a") == ""
