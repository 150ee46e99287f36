"""A report of an evaluation as a file to keep or to send: a page, an object, tables, mteb's results or a model's card.

html   one page with everything inside it, see `report_html`
json   the same as an object, the pictures left out
csv    a ZIP with a table each; a path that ends in .csv gets the table of results alone
mteb   one JSON for each model, as mteb keeps results, see `mteb_result`
card   the results as a part of a model's card, see `model_card`
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.evaluation.model_card import write_cards
from workbench.evaluation.mteb_result import write_results as write_mteb
from workbench.evaluation.report_content import Content, gather
from workbench.evaluation.report_csv import write_results, write_tables
from workbench.evaluation.report_html import report_html
from workbench.job_folder import finite
from workbench.workspace import Workspace, disk_full_in_words, write_json

ENDINGS = {"html": ".html", "json": ".json", "csv": ".zip"}
FORMATS = (*ENDINGS, "mteb", "card")


def write_report(workspace: Workspace, name: str, form: str = "html", to: Path | None = None) -> list[Path]:
    """Write the report of an evaluation in one of FORMATS; returns what was written.

    to: a file, or a folder for a file of the usual name; else the workspace's exports (a card: the card of each run
    among the models). What is there under that name is replaced. Raises WorkbenchError if there is no such evaluation
    or format, or the place cannot be written.
    """
    if form not in FORMATS:
        raise WorkbenchError(f"“{form[:40]}” is no form of a report. Choose one of {', '.join(FORMATS)}.")
    try:
        with disk_full_in_words(to or workspace.exports):
            if form == "card":
                return write_cards(workspace, name, to)
            if form == "mteb":
                return write_mteb(workspace, name, to or workspace.exports / f"{name}-mteb")
            path = report_path(workspace, name, form, to)
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, form, gather(workspace, name))
            return [path]
    except OSError as error:
        raise WorkbenchError(f"The report cannot be written to {to or workspace.exports}: {error.strerror}.") from error


def report_path(workspace: Workspace, name: str, form: str, to: Path | None = None) -> Path:
    """Where `write_report` writes a page, an object or tables."""
    usual = f"{name}-report{ENDINGS[form]}"
    if to is None:
        return workspace.exports / usual
    endings = {".csv", ".zip"} if form == "csv" else {ENDINGS[form]}
    if to.is_dir() or to.suffix.lower() not in endings:
        return to / usual
    return to


def _write(path: Path, form: str, content: Content) -> None:
    if form == "json":
        write_json(path, finite(content.said))
    elif form == "html":
        text = report_html(content)
        _replace(path, lambda part: part.write_text(text, encoding="utf-8"))
    elif path.suffix.lower() == ".csv":
        _replace(path, lambda part: write_results(content, part))
    else:
        _replace(path, lambda part: write_tables(content, part))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and rename it, so that no reader sees half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
