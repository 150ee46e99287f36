"""The map in a real browser: dots are pointed at and pressed, groups hidden, panels stand side by side or stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.ui.conftest import App, axe, open_tab, start_app
from tests.ui.evaluated import make_evaluated
from tests.ui.small import NASTY
from workbench.workspace import open_workspace

SCATTER = "#evaluate-scatter"
# Where a point is on the page: [x, y] of it in the first panel.
AT = """(point) => {
  const root = document.querySelector('#evaluate-scatter .map'), node = root.querySelector('.plot');
  const [xs, ys] = root.view.places[root.view.panels[0]], { xaxis, yaxis } = node._fullLayout;
  node.scrollIntoView({ block: 'center' });
  const box = node.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(xs[point]), box.top + yaxis._offset + yaxis.l2p(ys[point])];
}"""
# What Plotly says when the pointer is on a point, or presses it, wherever others lie upon it.
TELL = "([what, p]) => document.querySelector('#evaluate-scatter .plot').emit(what, { points: [{ customdata: p }] })"
# The point with this text; and one that has no other within 14 pixels, so that the pointer cannot mean another.
POINT_OF = (
    "(text) => document.querySelector('#evaluate-scatter .map').value.items.texts.findIndex((t) => t.includes(text))"
)
ALONE = """() => {
  const root = document.querySelector('#evaluate-scatter .map');
  const { xaxis, yaxis } = root.querySelector('.plot')._fullLayout,
    [xs, ys] = root.view.places[root.view.panels[0]].map((axis, n) => axis.map((v) => (n ? yaxis : xaxis).l2p(v)));
  return xs.findIndex((x, one) => xs.every((z, other) => one === other || Math.hypot(x - z, ys[one] - ys[other]) > 14));
}"""


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    workspace = open_workspace(tmp_path_factory.mktemp("evaluated") / "workspace")
    make_evaluated(workspace)
    app = start_app(workspace)
    yield app
    app.stop()


def open_map(page: Any, app: App) -> None:
    open_tab(page, app, "evaluate", evaluation="made", part="map")
    page.wait_for_selector(f"{SCATTER} .plot .points path", state="attached")


def drawn(page: Any) -> int:
    return int(
        page.evaluate(
            "document.querySelector('#evaluate-scatter .plot').data"
            ".reduce((sum, one) => sum + (one.visible === false ? 0 : one.x.length), 0)"
        )
    )


def test_a_dot_says_what_it_is_and_opens_with_its_answer(evaluated: App, page: Any) -> None:
    open_map(page, evaluated)
    point = page.evaluate(ALONE)
    x, y = page.evaluate(AT, point)
    page.mouse.move(x - 4, y)
    page.mouse.move(x, y)
    page.wait_for_selector(f"{SCATTER} .map-ring:not([hidden])", state="attached")
    value = page.evaluate("(point) => { const { items } = document.querySelector('#evaluate-scatter .map').value;"
                          "return [items.texts[point], items.kinds[point]]; }", point)  # fmt: skip
    assert page.text_content(f"{SCATTER} .map-text") == value[0]
    assert value[1] in str(page.text_content(f"{SCATTER} .map-peek .label"))
    page.mouse.click(x, y)
    page.wait_for_selector("#evaluate-opened .item")
    assert ", opened" in str(page.text_content("#evaluate-opened .item >> nth=0"))
    assert not page.browsing.errors


def test_nothing_in_a_text_runs_where_it_is_pointed_at_or_opened(evaluated: App, page: Any) -> None:
    open_map(page, evaluated)
    point = page.evaluate(POINT_OF, NASTY)
    page.evaluate(TELL, ["plotly_hover", point])
    page.wait_for_function(f"document.querySelector('{SCATTER} .map-text').textContent.includes('<script>')")
    assert page.locator(f"{SCATTER} .map script").count() == 0
    page.evaluate(TELL, ["plotly_click", point])
    page.wait_for_selector("#evaluate-opened .item")
    assert NASTY in str(page.text_content("#evaluate-opened"))
    assert page.browsing.dialogs == []


def test_groups_are_hidden_and_items_opened_by_keyboard(evaluated: App, page: Any) -> None:
    open_map(page, evaluated)
    before = drawn(page)
    page.focus(f"{SCATTER} [data-key=colour]")
    page.select_option(f"{SCATTER} [data-key=colour]", label="query or document")
    button = page.locator(f"{SCATTER} .map-key button").first
    button.press("Enter")
    assert 0 < drawn(page) < before
    pressed = page.locator(f"{SCATTER} .map-key button[aria-pressed=false]")
    assert pressed.count() == 1 and page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "false"
    pressed.press("Enter")
    assert drawn(page) == before
    page.locator("#evaluate-gaps .link").first.press("Enter")
    page.wait_for_selector("#evaluate-opened .item")
    assert axe(page) == []


@pytest.mark.parametrize(("width", "stacked"), [(1280, False), (390, True)])
def test_panels_share_their_axes_and_stand_side_by_side_or_stacked(
    evaluated: App, new_page: Callable[..., Any], width: int, stacked: bool
) -> None:
    page = new_page(width=width, dark=stacked)
    open_map(page, evaluated)
    ranges, domains = page.evaluate(
        "(() => { const f = document.querySelector('#evaluate-scatter .plot')._fullLayout;"
        "return [[f.xaxis.range, f.xaxis2.range, f.yaxis.range, f.yaxis2.range],"
        "[f.xaxis.domain, f.xaxis2.domain]]; })()"
    )
    assert ranges[0] == ranges[1] and ranges[2] == ranges[3]
    assert (domains[0] == domains[1]) is stacked
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert "apart" in page.get_attribute(f"{SCATTER} .plot", "aria-label")
    assert axe(page) == []
    assert not page.browsing.errors
