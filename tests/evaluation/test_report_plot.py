"""The line chart of a report."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from workbench.evaluation.report_plot import Line, chart


def drawn(lines, **more):
    """The elements of the picture by class, read as the XML that it is."""
    picture = ElementTree.fromstring(chart(lines, "dimensions", **more))
    found: dict[str, list[ElementTree.Element]] = {}
    for one in picture.iter():
        for name in (one.get("class") or one.tag).split():
            found.setdefault(name, []).append(one)
    return found


def line(name="tuned", tone="1", y=(0.5, 0.7, 0.8)):
    return Line(name, tone, (16, 32, 64), y, [v - 0.1 for v in y], [v + 0.1 for v in y])


def points(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def test_doubling_the_size_is_one_step_to_the_right_and_a_better_score_is_higher():
    [curve] = drawn([line()])["line"]
    (x1, y1), (x2, y2), (x3, y3) = points(curve)
    assert x2 - x1 == pytest.approx(x3 - x2) and x2 > x1
    assert y1 > y2 > y3 and (y1 - y2) == pytest.approx(2 * (y2 - y3), abs=0.2)


def test_the_band_lies_around_its_line_and_each_point_says_its_interval():
    found = drawn([line()])
    above, below = points(found["band"][0])[:3], points(found["band"][0])[3:][::-1]
    for (_, high), (_, y), (_, low) in zip(above, points(found["line"][0]), below, strict=True):
        assert high < y < low
    assert found["title"][0].text == "tuned, 16: 0.500 [0.400, 0.600]"


def test_many_lines_have_no_bands_and_every_one_is_drawn():
    many = [line(f"model {n}", str(n)) for n in range(1, 13)]
    found = drawn(many)
    assert "band" not in found and len(found["line"]) == 12 and len(found["dot"]) == 36


def test_one_point_alone_gets_a_bar_for_its_interval():
    found = drawn([Line("only", "base", [128], [0.5], [0.4], [0.6])])
    assert len(found["bar"]) == 1 and "line" not in [one.tag for one in found["dot"]] and "polygon" not in found
    assert float(found["bar"][0].get("y1")) < float(found["dot"][0].get("cy")) < float(found["bar"][0].get("y2"))


def test_what_a_model_is_called_is_no_markup():
    found = drawn([line('</svg><script>alert("x")</script>')], marked=(32, 0.7))
    assert "script" not in found and len(found["ring"]) == 1
    assert found["title"][0].text.startswith('</svg><script>alert("x")</script>, 16')


def test_without_a_line_there_is_no_picture():
    assert chart([], "dimensions") == "" == chart([Line("none", "1", [], [])], "dimensions")
