"""The page of a real run with failures, in a real browser: it asks for nothing, and shows all of its figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chromium import Chromium, Page
from tests.support.lab import Lab

FIGURES = {"work": 12, "stealing": 3, "throughput": 1, "pending": 1}
"""The sections with drawings, and the least number of boxes and lines in each."""
BOXES = (
    "[...document.querySelectorAll('#{} svg path')].filter(path => path.getBoundingClientRect().width > 0).length"
)
GROUND = "getComputedStyle(document.body).backgroundColor"
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def test_a_run_writes_its_report_and_the_next_session_removes_it(lab: Lab) -> None:
    for name, bases in (("a", 300), ("b", 200), ("c", 100)):
        (lab.folder / f"{name}.fa").write_text(f">s\n{'ACGT' * bases}\n")
    job = ("--job", "shell:test {input} != broken && cp {input} {output}", "--devices", "cpu:1", "--no-dashboard")
    ended = lab.start("run", *sorted(lab.folder.glob("*.fa")), "--out", "out", *job, "--report")
    assert ended.wait() == 0
    assert "  report   out/report.html\n" in ended.stdout
    assert "3 of 3 files done" in (lab.folder / "out" / "report.html").read_text()
    assert lab.start("run", *sorted(lab.folder.glob("*.fa")), "--out", "out", *job, "--resume").wait() == 0
    assert not (lab.folder / "out" / "report.html").exists()


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run on three simulated GPUs, one of whose files is broken."""
    folder = tmp_path_factory.mktemp("report")
    for number in range(12):
        name = f"sample_{number:02}{'_<img src=x onerror=document.title=1>' if number == 7 else ''}.fa"
        (folder / name).write_text(f">s\n{'ACGT' * 50 * (number + 1)}\n")
    lab = Lab(folder)
    job = "shell:sleep 0.05; case {input} in *onerror*) echo '<b>no</b>' >&2; exit 3;; esac; cp {input} {output}"
    run = lab.start(
        "run", *sorted(folder.glob("*.fa")), "--out", "run", "--fake-gpus", "3", "--job", job, "--report"
    )
    assert run.wait() == 3, run.stderr
    return folder / "run" / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def assert_quiet(page: Page, path: Path) -> None:
    assert page.console == []
    assert page.requests == [path.resolve().as_uri()]


def test_the_page_asks_for_nothing_and_shows_all_of_its_figures(browser: Chromium, page_path: Path) -> None:
    page = browser.open(page_path)
    for section, least in FIGURES.items():
        assert page.evaluate(BOXES.format(section)) >= least, section
    assert page.evaluate("document.querySelectorAll('svg[role=img]').length") >= len(FIGURES)
    assert page.evaluate("document.title") == "Report of run - virnucpro-bus"
    assert "onerror=document.title=1" in page.text()
    assert page.evaluate("document.images.length + document.scripts.length") == 0
    assert not page.evaluate(WIDER)
    assert_quiet(page, page_path)


def test_the_page_is_dark_where_the_user_wants_that_and_fits_a_narrow_screen(
    browser: Chromium, page_path: Path
) -> None:
    light, dark = (browser.open(page_path, size=(400, 800), dark=each) for each in (False, True))
    assert (light.evaluate(GROUND), dark.evaluate(GROUND)) == ("rgb(255, 255, 255)", "rgb(15, 20, 25)")
    assert not light.evaluate(WIDER)
    assert_quiet(dark, page_path)
