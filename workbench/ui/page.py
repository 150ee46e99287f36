"""The frame of the page: rail, message, five tabs; and the one place where handlers are wired and errors are told."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.index.search import Searcher
from workbench.ui import cards
from workbench.ui.downloads import Downloads
from workbench.ui.media_route import MediaRoute
from workbench.ui.place import TABS, Place
from workbench.ui.rail import draw_rail, make_rail
from workbench.workspace import Workspace

LOG = logging.getLogger(__name__)
PULSE_SECONDS = 2.0
IDLE_SECONDS = 6.0
QUEUE_SECONDS = 0.02
CONCURRENT = 8
LISTEN_JS = "wb.listen(element, trigger);"
WAIT_JS = "await new Promise((done) => setTimeout(done, 50));"
Widgets = dict[Any, Any]
Handler = Callable[..., Widgets | None]


class Page:
    """What the tabs share: the workspace, the place, the rail, the message, and how handlers are wired.

    A handler takes the `Place` and then its inputs, and returns {widget: value} for what changes, or None when
    nothing does. Returning a `Place` under `page.place` moves the page there.

    may_run_code: whether whoever uses the page may let a model run code of its own. Only where the page's users are
    its owner or have a login: whoever starts the page says so.
    """

    may_run_code = False

    def __init__(self, workspace: Workspace, notices: Sequence[str] = ()) -> None:
        self.workspace = workspace
        self.searcher = Searcher(workspace)
        self.media = MediaRoute(workspace)
        self.downloads = Downloads(workspace)
        self._openings: list[tuple[gr.Tab, str, Handler, Sequence[Any], Sequence[Any], gr.Timer]] = []
        self._watching: list[tuple[str, gr.Timer, Handler, Sequence[Any], Sequence[Any]]] = []
        with gr.Row(elem_id="frame"):
            with gr.Column(elem_id="side", min_width=0):
                self.rail = make_rail()
            with gr.Column(elem_id="content", min_width=0):
                for sentence in notices:
                    gr.HTML(cards.notice(sentence, tone="warn", closable=False), elem_classes=["standing"])
                self.message = view("message")
                self.tabs = gr.Tabs(elem_id="tabs")
        with gr.Row(elem_id="unseen", visible="hidden"):
            self.place = gr.Textbox(elem_id="place", label="Place", visible="hidden")
        self.pulse = gr.Timer(IDLE_SECONDS)
        self.place.change(None, self.place, None, js="(query) => { if (query) wb.setPlace(query); }", queue=False)

    def tab(self, name: str) -> gr.Tab:
        """A tab of the journey, to be filled in a with statement inside `page.tabs`."""
        return gr.Tab(name.capitalize(), id=name, elem_id=f"tab-{name}")

    def on(
        self,
        triggers: Any,
        handler: Handler,
        inputs: Sequence[Any] = (),
        outputs: Sequence[Any] = (),
        *,
        opens: str = "",
        queue: bool = False,
        waits_on: Any = None,
        reads: str = "",
        each: bool = False,
        last: bool = False,
        moved: bool = False,
        keeps: bool = False,
    ) -> Any:
        """Wire `handler` to events.

        `opens` names the tab whose opening this is; `queue` is for what may take long, and `waits_on` the widget over
        which the waiting is then shown. `reads` is a script that gives the last of the inputs. `each`: an event is
        handled also while an earlier one is still being handled, which else would pass unseen; `last`: only the last of
        those. `moved`: the answer that triggers it may move the page, so the place is read once it has. `keeps`: the
        message stays, because nobody pressed anything.
        """
        where = f"wb.opened('{opens}')" if opens else "wb.place()"
        read = f"given[given.length - 1] = {reads};" if reads else ""
        return gr.on(
            triggers,
            self._told(handler, keeps),
            inputs=[self.place, *inputs],
            outputs=[*outputs, *(w for w in (self.place, self.tabs) if w not in outputs), *self._frame()],
            js=f"{'async ' * moved}(...given) => {{ {WAIT_JS * moved} given[0] = {where}; {read} return given; }}",
            queue=queue,
            concurrency_limit=CONCURRENT if queue else "default",
            show_progress="full" if waits_on is not None else "hidden",
            show_progress_on=waits_on,
            trigger_mode="multiple" if each else "always_last" if last else None,
            api_visibility="private",
        )

    def refresh(
        self,
        tab: gr.Tab,
        name: str,
        handler: Handler,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        *,
        timer: gr.Timer,
    ) -> None:
        """Draw a tab from disk whenever it opens. Its `timer` ticks only while it is the open one."""
        self._openings.append((tab, name, handler, inputs, outputs, timer))

    def watch(
        self, name: str, timer: gr.Timer, handler: Handler, inputs: Sequence[Any], outputs: Sequence[Any]
    ) -> None:
        """Let `handler` look for what is new whenever the tab's `timer` ticks."""
        self._watching.append((name, timer, handler, inputs, outputs))

    def finish(self, demo: gr.Blocks) -> None:
        """Wire what needs all the tabs: opening one of them stops the clocks of the others."""
        timers = {name: timer for _, name, _, _, _, timer in self._openings}
        for tab, name, handler, inputs, outputs, timer in self._openings:
            others = [other for other in timers.values() if other is not timer]
            self.on([tab.select], _opening(name, handler, others), inputs, [*outputs, *others], opens=name)
        for name, timer, handler, inputs, outputs in self._watching:
            shown = list(dict.fromkeys([*outputs, *timers.values()]))
            self.on([timer.tick], _watching(name, handler, timers), inputs, shown, keeps=True)
        self.on([demo.load], self.open_page)
        self.on([self.pulse.tick], self.refresh_rail, [self.rail], keeps=True)

    def open_page(self, place: Place) -> Widgets:
        """Show the tab that the address names."""
        return {self.tabs: gr.Tabs(selected=place.tab)}

    def refresh_rail(self, place: Place, shown: str) -> Widgets | None:
        """Keep the rail as the disk is, whoever changed it; nothing is sent when nothing has changed."""
        drawn = self._draw_rail(place)
        return None if drawn[self.rail] == shown else drawn

    def _frame(self) -> list[Any]:
        return [self.message, self.rail, self.pulse]

    def _draw_rail(self, place: Place) -> Widgets:
        rail, busy = draw_rail(self.workspace, place)
        return {self.rail: rail, self.pulse: gr.Timer(PULSE_SECONDS if busy else IDLE_SECONDS)}

    def _told(self, handler: Handler, keeps: bool = False) -> Callable[..., Any]:
        """`handler` with its errors turned into the page's message, and the rail drawn again after it."""

        @functools.wraps(handler)
        def tell(query: str, *given: Any) -> Any:
            place = Place.read(query)
            try:
                changed = handler(place, *given)
            except WorkbenchError as error:
                return {self.message: cards.notice(error.message, error.problems)}
            except Exception:
                LOG.exception("the page could not %s", handler.__name__.replace("_", " "))
                return {
                    self.message: cards.notice(
                        "Something went wrong that we did not foresee. The terminal that runs the workbench shows the "
                        "details. What you had is still on disk: reload the page and try again."
                    )
                }
            return gr.skip() if changed is None else self._finish(place, changed, keeps)

        return tell

    def _finish(self, place: Place, changed: Widgets, keeps: bool) -> Widgets:
        moved = changed.get(self.place)
        if isinstance(moved, Place):
            changed[self.place] = moved.write()
            if moved.tab != place.tab:
                changed[self.tabs] = gr.Tabs(selected=moved.tab)
            place = moved
        rail = {} if self.rail in changed else self._draw_rail(place)
        return {self.message: gr.skip() if keeps else "", **changed, **rail}


def _opening(name: str, handler: Handler, others: Sequence[gr.Timer]) -> Handler:
    """Draw the tab that opens and stop the other clocks; unless the page is elsewhere by now.

    Gradio opens its first tab before the address can ask for another, and answers may overtake one another.
    """

    @functools.wraps(handler)
    def draw(place: Place, *given: Any) -> Widgets | None:
        if place.tab != name:
            return None
        return {**(handler(place, *given) or {}), **{timer: gr.Timer(active=False) for timer in others}}

    return draw


def _watching(name: str, handler: Handler, timers: dict[str, gr.Timer]) -> Handler:
    """A tick of a tab that is not the open one, whose late answer started it again, gives way to the open one's."""

    @functools.wraps(handler)
    def look(place: Place, *given: Any) -> Widgets | None:
        if place.tab == name:
            return handler(place, *given)
        return {timer: gr.Timer(active=other == place.tab) for other, timer in timers.items()}

    return look


def clock(busy: bool, seconds: float) -> gr.Timer:
    """The timer of the open tab: quick while a job is at work, slow otherwise, and never still.

    So the page also sees what was started elsewhere, and rights itself where one answer has overtaken another.
    """
    return gr.Timer(seconds if busy else max(seconds, IDLE_SECONDS), active=True)


def tell(words: str, *, duration: float = 5, title: str = "Info") -> None:
    """A short message in the corner. Gradio takes it for HTML, and it may hold names from the user's files."""
    gr.Info(cards.text(words), duration=duration, title=title)


def view(identifier: str, **options: Any) -> gr.HTML:
    """A piece of our own HTML whose buttons and selects trigger `click` with their data."""
    return gr.HTML(elem_id=identifier, js_on_load=LISTEN_JS, apply_default_css=False, **options)


def build_page(workspace: Workspace, notices: Sequence[str] = ()) -> tuple[gr.Blocks, Page]:
    """The whole page for one workspace. `notices` stand above every tab."""
    from workbench.ui import api, data, evaluate, runs, search, train

    with gr.Blocks(title="Workbench", fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        page = Page(workspace, notices)
        # First of all, so that they have their names to themselves.
        api.offer(page)
        with page.tabs:
            for name, build in zip(
                TABS, (data.build, train.build, runs.build, evaluate.build, search.build), strict=True
            ):
                with page.tab(name) as tab:
                    build(page, tab)
        page.finish(demo)
    # Gradio looks for queued events a thousand times a second, at the cost of a twentieth of a core.
    demo._queue.sleep_when_free = QUEUE_SECONDS
    return demo, page
