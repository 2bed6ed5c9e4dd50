"""Markup, scales, ticks and axes."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.report.markup import breakable, el, join
from zslpipe.report.svg import Frame, Scale, padded_range, ticks

finite = st.floats(-1e6, 1e6)


@given(st.text(), st.text())
def test_any_text_is_escaped(inside: str, attribute: str) -> None:
    # XML forbids control characters, HTML does not; here only escaping matters.
    inside, attribute = (re.sub(r"[^\t\n\x20-\ud7ff]", "", t) for t in (inside, attribute))
    element = ET.fromstring(el("p", inside, title=attribute))
    assert len(element) == 0
    assert (element.text or "").split() == inside.split()
    assert element.attrib["title"].split() == attribute.split()


def test_markup_is_not_escaped_twice_and_attribute_names_are_translated() -> None:
    inner = el("b", "<")
    assert el("p", [inner, None, 1.5]) == "<p><b>&lt;</b>1.5</p>"
    assert el("line", stroke_width=2, viewBox="0 0 1 1") == '<line stroke-width="2" viewBox="0 0 1 1"></line>'
    assert el("meta", charset="utf-8") == '<meta charset="utf-8"/>'
    assert el("details", open=None) == "<details></details>"
    assert join("a", ["b", el("i")]) == "ab<i></i>"
    assert breakable("001.Black_footed") == "001.<wbr/>Black_<wbr/>footed"


@given(finite, finite, finite)
def test_scales_clip_to_their_range(low: float, high: float, value: float) -> None:
    scale = Scale(low, high, 48, 428)
    assert 48 <= scale(value) <= 428


def test_a_scale_maps_ends_to_ends() -> None:
    scale = Scale(0, 2, 286, 12)
    assert (scale(0), scale(1), scale(2), scale(5)) == (286, 149, 12, 12)


@given(finite, st.floats(1e-3, 1e6))
def test_ticks_are_few_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    slack = 1e-5 * max(abs(low), abs(low + span))  # ticks are rounded to six digits
    assert 1 <= len(found) <= 7
    assert all(low - slack <= t <= low + span + slack for t in found)


def test_ticks_are_round() -> None:
    assert ticks(0, 0.8) == [0, 0.2, 0.4, 0.6, 0.8]
    assert ticks(3, 3) == [3]


def test_a_padded_range_is_wider_than_its_values() -> None:
    for values in ([1.0, 2.0], [5.0], [0.0, 0.0], [-3.0]):
        low, high = padded_range(values)
        assert low < min(values) <= max(values) < high


@pytest.mark.parametrize("percent", ["", "x", "xy"])
def test_axes_are_inside_the_drawing(percent: str) -> None:
    frame = Frame(x=(0, 0.8), y=(0, 1))
    drawing = ET.fromstring(frame.drawing(frame.axes("<U>", "S", percent=percent), label="curve"))
    width, height = (float(v) for v in drawing.attrib["viewBox"].split()[2:])
    for node in drawing.iter():
        for key in ("x", "x1", "x2"):
            assert 0 <= float(node.get(key, 0)) <= width
        for key in ("y", "y1", "y2"):
            assert 0 <= float(node.get(key, 0)) <= height
    texts = [node.text for node in drawing.iter() if node.tag.endswith("text")]
    assert "<U>" in texts
    assert ("80" if "x" in percent else "0.8") in texts
