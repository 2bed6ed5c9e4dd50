"""The page in headless Chromium, at desktop and phone width, in light and dark mode."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import headless, picture, show
from zslpipe.report.content import RunContent
from zslpipe.report.page import write_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with headless(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def pages(make_run: Callable[..., RunContent], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small page, and one with wide matrices and long names."""
    folder = tmp_path_factory.mktemp("pages")
    evil = make_run(name="a_name_that_does_not_end_" * 6, classes=200, unseen=50, attributes=312, evil=True)
    write_page(folder / "small.html", [make_run()])
    write_page(folder / "large.html", [evil, make_run(epochs=False, skill=2.0)])
    return {"small": folder / "small.html", "large": folder / "large.html"}


@pytest.mark.parametrize("which", ["small", "large"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_and_the_browser_log_is_empty(
    browser: Any, pages: dict[str, Path], which: str, width: int, scheme: str, tmp_path: Path
) -> None:
    show(browser, pages[which], width, scheme)
    # collapsed boxes are opened, since their contents could be too wide as well
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []
    asked = [entry["message"] for entry in browser.get_log("performance") if 'requestWillBeSent"' in entry["message"]]
    assert not [message for message in asked if '"url":"http' in message]
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    picture(browser, width, tmp_path / f"{which}-{width}-{scheme}.png")


def test_on_a_phone_text_is_readable_and_wide_content_scrolls_in_its_box(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["large"], 390)
    measure = (
        "const size = t => { const m = t.getScreenCTM();"  # rotated labels as well
        " return parseFloat(getComputedStyle(t).fontSize) * Math.hypot(m.a, m.b); };"
        "const shown = [...document.querySelectorAll('svg.chart:not(.wide) text')].filter(t => t.checkVisibility());"
        "return [shown.length, Math.min(...shown.map(size))]"
    )
    texts, smallest = browser.execute_script(measure)
    assert texts > 20
    assert smallest >= 8
    wide, box = browser.execute_script(
        "const m = document.querySelector('svg.wide').parentElement; return [m.scrollWidth, m.clientWidth]"
    )
    assert wide > box
    # the five numbers of a run are visible without scrolling
    rights = browser.execute_script(
        "return [...document.querySelectorAll('.numbers .figure')].map(c => c.getBoundingClientRect().right)"
    )
    assert max(rights) <= 390


def test_charts_have_labels_and_points_have_tooltips(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["small"], 1280)
    unnamed = "return [...document.querySelectorAll('svg[role=img]')].filter(s => !s.getAttribute('aria-label')).length"
    assert browser.execute_script(unnamed) == 0
    titles = browser.execute_script(
        "return [...document.querySelectorAll('.mark.chosen title')].map(t => t.textContent)"
    )
    assert any("H " in title and "δ" in title for title in titles)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_hint_stands_above_what_scrolls_sideways(browser: Any, pages: dict[str, Path], width: int) -> None:
    show(browser, pages["large"], width)
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.hinted')].map(h => [h.querySelector('.hint').checkVisibility(),"
        " h.querySelector('.scroll').scrollWidth - h.querySelector('.scroll').clientWidth])"
    )
    assert len(boxes) == 4
    assert all(hinted == (more > 0) for hinted, more in boxes), boxes
    assert any(hinted for hinted, _ in boxes) == (width == 390)
