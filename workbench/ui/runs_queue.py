"""The queue on the Runs tab: the card above the run, and the form that pauses it until a time or keeps hours."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench import jobs
from workbench.ui import runs_queue_views
from workbench.ui.page import Page, Widgets, view

TITLE = "Pause the queue, or keep hours"
AFTER, NOW = "after", "now"
MOVES: tuple[jobs.Where, ...] = ("first", "up", "down", "last")


class QueueForm:
    """Pause until a time, or work in some hours alone."""

    def __init__(self) -> None:
        look: dict[str, Any] = {"open": False, "elem_id": "queue-pause", "elem_classes": ["card"]}
        with gr.Accordion(TITLE, visible=False, **look) as self.all:
            with gr.Row(elem_classes=["form-row"]):
                self.until = gr.Textbox(
                    label="Pause until", placeholder="07:00", max_length=40, elem_id="queue-until",
                    info="A time, or a date with a time. Empty: until you go on.",
                )  # fmt: skip
                self.when = gr.Radio(
                    [("is finished first", AFTER), ("is set aside at once", NOW)], value=AFTER, label="What runs now",
                    elem_id="queue-when", info="A run that is set aside saves a checkpoint and goes on from it.",
                )  # fmt: skip
                self.pause = gr.Button("Pause the queue", elem_id="queue-pause-go")
            with gr.Row(elem_classes=["form-row"]):
                self.begin = gr.Textbox(
                    label="Work every day from", placeholder="20:00", max_length=5, elem_id="queue-begin",
                    info="Before that, everything waits.",
                )  # fmt: skip
                self.end = gr.Textbox(
                    label="to", placeholder="07:00", max_length=5, elem_id="queue-end",
                    info="Then what runs is set aside.",
                )  # fmt: skip
                self.keep = gr.Button("Keep these hours", elem_id="queue-hours-go")
                self.always = gr.Button("Work at all hours", elem_id="queue-hours-always")
            self.about = view("queue-about")


class Queue:
    """The widgets and their handlers. `make_form` comes later on the page than the card."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.card = view("runs-queue")

    def make_form(self) -> None:
        """The form, at this point of the page."""
        self.form = QueueForm()

    @property
    def widgets(self) -> list[Any]:
        """What `fill` sets."""
        return [self.form.all, self.form.until, self.form.begin, self.form.end, self.form.about]

    def fill(self, wanted: bool = True) -> Widgets:
        """The form as the rules are now; hidden where it is not `wanted` and there are none."""
        rules = jobs.read_rules(self.page.workspace)
        begin, end = (rules.hours.begin, rules.hours.end) if rules.hours else ("", "")
        form = self.form
        shown = gr.Accordion(visible=wanted or rules.hours is not None or rules.pause is not None)
        about = runs_queue_views.about_hours(rules)
        return {form.all: shown, form.until: "", form.begin: begin, form.end: end, form.about: about}

    def look(self) -> tuple[str, str]:
        """The card, and what changes with it."""
        line, hold = jobs.the_line(self.page.workspace), jobs.hold_now(self.page.workspace)
        return runs_queue_views.queue(*line, hold), runs_queue_views.signature(*line, hold)

    def use(self, said: dict[str, Any]) -> bool:
        """Do what a button of the card says; whether it was one of the queue."""
        workspace, act = self.page.workspace, said["act"]
        if act == "move":
            jobs.move(workspace, str(said.get("name", "")), said["where"] if said.get("where") in MOVES else "up")
        elif act == "pause":
            jobs.pause(workspace, at_once=said.get("when") == NOW)
        elif act == "go-on":
            jobs.go_on(workspace)
        return act in ("move", "pause", "go-on")

    def pause(self, until: str, when: str) -> Widgets:
        """Pause the queue as the form says."""
        jobs.pause(self.page.workspace, until or "", at_once=when == NOW)
        return self.fill()

    def keep_hours(self, begin: str, end: str) -> Widgets:
        """Work in these hours of a day alone."""
        jobs.work_between(self.page.workspace, begin or "", end or "")
        return self.fill()

    def keep_none(self) -> Widgets:
        """Work at all hours again."""
        jobs.work_always(self.page.workspace)
        return self.fill()
