"""The report in a real browser: silent, self-contained, readable on a phone, in the dark and on paper."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from loadtest.recording import Recording
from loadtest.report import write_all
from loadtest.result import Result
from tests.report import example

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_S = 30


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Debian's Chromium with a fresh profile, writing down what it logs and what it fetches."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")  # Debian's, or a hosted runner's
    driver = shutil.which("chromedriver")
    assert chromium, "chromium is not installed (Debian: apt install chromium)"
    assert driver, "chromedriver is not installed (Debian: apt install chromium-driver)"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to sandbox itself as root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        opened.set_page_load_timeout(TIMEOUT_S)
        opened.set_script_timeout(TIMEOUT_S)
        yield opened
    finally:
        opened.quit()


@pytest.fixture(scope="module")
def report(result: Result, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a written report."""
    return write_all(result, tmp_path_factory.mktemp("report"))[0].as_uri()


def show(browser: webdriver.Chrome, report: str, *, width: int = 1100, theme: str = "light") -> None:
    """Load the page on a screen of that width, in that theme."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(report)


def fetched(browser: webdriver.Chrome) -> list[str]:
    """Addresses asked for since the log was last read."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith(("data:", "chrome:"))]  # the browser's own first tab is no page


def test_the_page_is_silent_and_fetches_nothing(browser: webdriver.Chrome, report: str) -> None:
    """No console message of any level, and no request but the file's own."""
    fetched(browser)
    browser.get_log("browser")
    show(browser, report)
    assert browser.get_log("browser") == []
    assert fetched(browser) == [report]


@pytest.mark.parametrize("width", [360, 412, 768, 861, 1100])
def test_nothing_scrolls_sideways(browser: webdriver.Chrome, report: str, width: int) -> None:
    """From a small phone to a desk: the page is as wide as the screen and no part stands out of it."""
    show(browser, report, width=width)
    wider, outside = browser.execute_script(
        "const page = document.documentElement, all = [...document.querySelectorAll('body *:not(thead, thead *)')];"
        "const outside = all.filter(e => e.getBoundingClientRect().right > page.clientWidth);"
        "return [page.scrollWidth - page.clientWidth, outside.map(e => e.outerHTML.slice(0, 80))]"
    )
    assert (wider, outside) == (0, [])


def test_a_phone_sees_the_narrow_charts_and_a_desk_the_wide_ones(browser: webdriver.Chrome, report: str) -> None:
    """One drawing of each chart at a time, at the size it was drawn in."""
    shown = (
        "return [...document.querySelectorAll('svg.time')].filter(e => e.getClientRects().length)"
        ".map(e => e.getBoundingClientRect().width)"
    )
    show(browser, report, width=360)
    assert browser.execute_script(shown) == [328] * 4
    show(browser, report, width=1100)
    assert browser.execute_script(shown) == [920] * 4


def test_the_theme_follows_the_reader(browser: webdriver.Chrome, report: str) -> None:
    """Dark ink on a light page, or the reverse."""
    ground = "return getComputedStyle(document.body).backgroundColor"
    show(browser, report, theme="light")
    assert browser.execute_script(ground) == "rgb(255, 255, 255)"
    show(browser, report, theme="dark")
    assert browser.execute_script(ground) == "rgb(20, 24, 29)"


def test_hovering_reads_a_second_out(browser: webdriver.Chrome, report: str) -> None:
    """The box over a chart tells the second's numbers and its events; it goes when the pointer goes."""
    show(browser, report)
    box = browser.execute_script(
        "const svg = document.querySelector('svg.time'), at = svg.getBoundingClientRect();"
        "const x = at.left + +svg.dataset.from + (svg.dataset.to - svg.dataset.from) * 44.5 / svg.dataset.seconds;"
        "svg.dispatchEvent(new PointerEvent('pointermove', {clientX: x, clientY: at.top + 40, bubbles: true}));"
        "const box = document.querySelector('.hover'), said = box.hidden ? '' : box.textContent;"
        "svg.dispatchEvent(new PointerEvent('pointerleave'));"
        "return [said, box.hidden]"
    )
    assert box[0].startswith("second 44\noffered ")
    assert box[0].endswith("7: back to 1.0.0")
    assert box[1] is True


def test_it_prints(browser: webdriver.Chrome, report: str) -> None:
    """On paper it is light and complete, whatever the screen was."""
    show(browser, report, theme="dark")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF-")
    assert 2 <= pdf.count(b"/Type /Page\n") <= 12


def test_an_empty_run_is_a_page_without_errors(
    browser: webdriver.Chrome, judged: Callable[[Recording], Result], tmp_path: Path
) -> None:
    """A run that was ended before it began still tells why it is invalid."""
    browser.get_log("browser")
    show(browser, write_all(judged(example.empty()), tmp_path)[0].as_uri())
    assert browser.get_log("browser") == []
    assert "Invalid run" in browser.title
