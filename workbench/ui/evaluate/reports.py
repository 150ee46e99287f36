"""Take an evaluation away: a row of buttons that write its report, and links to what was written."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.evaluation.report_file import ENDINGS, report_path, write_report
from workbench.ui import cards, words
from workbench.ui.evaluate.views import in_hand
from workbench.ui.page import Page, Widgets, view
from workbench.ui.place import Place

TITLES = {"html": "report", "json": "JSON", "csv": "CSV tables"}


class ReportRow:
    """The widget of the row and its handler."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.row = view("evaluate-reports")
        self.widgets = [self.row]
        page.on([self.row.click], self.write, [], self.widgets)

    def draw(self, evaluation: dict[str, Any] | None) -> Widgets:
        """The row of an evaluation; nothing without one."""
        return {self.row: self._row(str(evaluation["evaluation"])) if evaluation else ""}

    def write(self, place: Place, event: gr.EventData) -> Widgets:
        """Write the report of the evaluation in hand, and offer the file."""
        said: dict[str, Any] = dict(event._data)
        form = str(said.get("form", ""))
        if said["act"] != "report" or form not in ENDINGS:
            raise WorkbenchError(f"“{form[:40]}” is no form of a report. Reload the page.")
        name = str(in_hand(self.page.workspace, place).evaluation["evaluation"])
        write_report(self.page.workspace, name, form)
        return {self.row: self._row(name)}

    def _row(self, name: str) -> str:
        made = "".join(self._one(name, form, title) for form, title in TITLES.items())
        return (
            f'<div class="split"><span class="quiet small">Take it away</span><div class="actions">{made}</div></div>'
        )

    def _one(self, name: str, form: str, title: str) -> str:
        """A link to the file, if it was written since the numbers or prices last changed; else the button."""
        workspace = self.page.workspace
        path = report_path(workspace, name, form)
        sources = [workspace.evaluation(name), workspace.root / "prices.json"]
        changed = max((one.stat().st_mtime for one in sources if one.exists()), default=0.0)
        if not path.is_file() or path.stat().st_mtime < changed:
            return cards.button(f"Write {title}", "report", identifier=f"evaluate-report-{form}", form=form)
        return (
            f'<a class="button" href="{cards.text(self.page.downloads.url(path))}" download '
            f'id="evaluate-report-{form}">Download {cards.text(title)}</a> '
            f'<span class="quiet small">{words.size(path.stat().st_size)}</span>'
        )
