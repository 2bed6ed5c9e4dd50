"""The page of zslpipe serve in headless Chromium, at desktop and phone width, in light and dark mode."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browsers import headless, picture, show
from tests.painted import make_place
from tests.serving.web.conftest import Served, serving

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with headless(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A head with one map per class."""
    head = ("dense-attention-ae", "--set", "epochs=2", "--set", "learning_rate=0.002")
    with serving(make_place(tmp_path_factory.mktemp("maps"), head, "global,region"), "--rate", "0") as server:
        yield server


def find(browser: Any, selector: str) -> Any:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, 60).until(lambda b: b.find_elements(By.CSS_SELECTOR, selector))


def errors(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_and_a_class_in_words(browser: Any, maps: Served, width: int, scheme: str, tmp_path: Path) -> None:
    show(browser, maps.address, width, scheme)
    browser.get_log("performance")
    find(browser, "#file")[0].send_keys(str(maps.place / "new" / "red.png"))
    assert len(find(browser, "#classes tr")) == 5
    assert len(find(browser, "#terms tr")) >= 3
    assert find(browser, "#maps img")[0].get_attribute("src").startswith("data:image/jpeg")
    assert find(browser, "#verdict b")[0].text

    find(browser, "#name")[0].send_keys(EVIL)
    find(browser, "#sentence")[0].send_keys("red and blue, no green")
    find(browser, "#add button[type=submit]")[0].click()
    assert EVIL in find(browser, "#added li span")[0].text
    assert find(browser, "#understood")[0].text == (
        "Understood as the mean of all classes, but red = 1.00, blue = 1.00, green = 0.00."
    )
    assert not browser.execute_script("return document.querySelectorAll('img[src=x]').length")

    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert errors(browser) == []
    asked = [entry["message"] for entry in browser.get_log("performance") if 'requestWillBeSent"' in entry["message"]]
    assert not [message for message in asked if '"url":"http' in message and f'"url":"{maps.address}' not in message]
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    picture(browser, width, tmp_path / f"serve-{width}-{scheme}.png")


def test_attributes_one_by_one_and_taking_a_class_back(browser: Any, maps: Served) -> None:
    show(browser, maps.address, 1400)
    find(browser, "#like option[value=red]")
    browser.execute_script("document.querySelector('details').open = true")
    find(browser, "#name")[0].send_keys("orange")
    find(browser, "#attribute")[0].send_keys("green")
    find(browser, "#set")[0].click()
    assert find(browser, "#values li span")[0].text == "green = 1"
    find(browser, "#add button[type=submit]")[0].click()
    find(browser, "#added li button")[0].click()
    assert browser.execute_script("return document.querySelectorAll('#added li').length") == 0


def test_errors_are_sentences(browser: Any, maps: Served, tmp_path: Path) -> None:
    (tmp_path / "no.png").write_text("no picture")
    show(browser, maps.address, 1400)
    find(browser, "#file")[0].send_keys(str(tmp_path / "no.png"))
    assert "known format" in find(browser, "#status.failed")[0].text


def test_the_docs_load(browser: Any, maps: Served) -> None:
    errors(browser)  # of the tests before
    show(browser, f"{maps.address}docs", 1400)
    assert len(find(browser, ".opblock")) == 3
    assert errors(browser) == []
