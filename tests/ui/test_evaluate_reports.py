"""The row of the Evaluate tab that takes an evaluation away, without a browser."""

from __future__ import annotations

import os
import re
import time

import gradio as gr
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.evaluation.conftest import ToyEmbedder, scenes
from workbench.errors import WorkbenchError
from workbench.evaluation.costs import set_prices
from workbench.evaluation.evaluate import evaluate
from workbench.evaluation.results import load_evaluation
from workbench.ui.evaluate.reports import ReportRow
from workbench.ui.page import Page
from workbench.ui.place import Place
from workbench.workspace import Workspace

PLACE = Place(tab="evaluate", evaluation="e")


class Pressed:
    """What a button of our HTML sends."""

    def __init__(self, **data: str) -> None:
        self._data = data


@pytest.fixture
def row(workspace: Workspace) -> ReportRow:
    scenes(workspace, 12, 8)
    evaluate(workspace, "scenes", ["starter"], load=lambda _, name: ToyEmbedder(name), name="e")
    with gr.Blocks():
        return ReportRow(Page(workspace))


def drawn(row: ReportRow, workspace: Workspace) -> str:
    return str(row.draw(load_evaluation(workspace, "e"))[row.row])


def test_a_button_writes_the_report_and_becomes_a_link_to_it(row: ReportRow, workspace: Workspace) -> None:
    assert re.findall(r'data-form="(\w+)"', drawn(row, workspace)) == ["html", "json", "csv"]
    shown = str(row.write(PLACE, Pressed(act="report", form="html"))[row.row])
    assert re.findall(r'data-form="(\w+)"', shown) == ["json", "csv"]
    address = re.search(r'href="([^"]+)" download id="evaluate-report-html">Download report', shown)
    assert address and drawn(row, workspace) == shown, "after a reload it is still offered"
    client = TestClient(Starlette(routes=[row.page.downloads.route()]))
    answer = client.get(address[1].replace("&amp;", "&"))
    assert answer.status_code == 200 and answer.text.startswith("<!doctype html>")
    assert "attachment" in answer.headers["content-disposition"]
    assert client.get("/exports/e-report.html").status_code == 403


def test_what_was_written_before_the_numbers_or_prices_changed_is_not_offered(
    row: ReportRow, workspace: Workspace
) -> None:
    row.write(PLACE, Pressed(act="report", form="csv"))
    assert "Download CSV tables" in drawn(row, workspace)
    earlier = time.time() - 60
    os.utime(workspace.exports / "e-report.zip", (earlier, earlier))
    assert "Write CSV tables" in drawn(row, workspace)
    row.write(PLACE, Pressed(act="report", form="csv"))
    later = time.time() + 60
    set_prices(workspace, items=5)
    os.utime(workspace.root / "prices.json", (later, later))
    assert "Write CSV tables" in drawn(row, workspace)


@pytest.mark.parametrize(
    "said", [{"act": "report", "form": "card"}, {"act": "report"}, {"act": "remove", "form": "html"}]
)
def test_nothing_else_is_written_by_it(row: ReportRow, workspace: Workspace, said: dict[str, str]) -> None:
    with pytest.raises(WorkbenchError, match="no form of a report"):
        row.write(PLACE, Pressed(**said))
    assert not list(workspace.exports.iterdir())


def test_without_an_evaluation_there_is_no_row(row: ReportRow) -> None:
    assert row.draw(None) == {row.row: ""}
