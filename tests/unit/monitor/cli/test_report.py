"""The command `report`: where the page goes, and what it says of captures that lack something."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.support.captures import read_all, spans
from tests.support.large_runs import large_run, write_large_run
from tests.support.reported_runs import ParsedPage, small_run
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.cli import main as cli
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.run_folder import RunFolder

Ask = Callable[..., tuple[int, str, str]]
"""Runs the command; returns its status, and what it printed on both streams."""


def recorded(folder: Path, envelopes: Iterable[Envelope]) -> Path:
    """Write them into a run folder as they would have been received."""
    clock = ManualClock()
    folder.mkdir()
    with CaptureWriter(folder / "run.vbus", clock) as writer:
        for envelope in envelopes:
            clock.wall, clock.mono = envelope.wall_ns, envelope.mono_ns
            writer.append([encode(envelope)])
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the folder of a run in it."""
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path / "first-run", small_run().envelopes)
    return tmp_path


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["report", *map(str, arguments)])
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_page_is_named_after_the_run_and_its_name_is_printed(here: Path, ask: Ask) -> None:
    assert ask("first-run") == (0, "first-run-report.html\n", "")
    assert "Report of first-run" in ParsedPage((here / "first-run-report.html").read_text()).texts


@pytest.mark.parametrize(
    ("runs", "name"),
    [
        (["first-run/run.vbus"], "first-run-report.html"),
        (["first-run/"], "first-run-report.html"),
        (["copy.vbus"], "copy-report.html"),
        (["first-run", "copy.vbus"], "report.html"),
    ],
)
def test_the_page_has_a_name_that_says_what_it_is_of(here: Path, ask: Ask, runs: list[str], name: str) -> None:
    (here / "copy.vbus").write_bytes((here / "first-run" / "run.vbus").read_bytes())
    assert ask(*runs)[:2] == (0, f"{name}\n")
    assert (here / name).exists()


def test_a_file_that_exists_is_kept_unless_it_is_to_be_replaced(here: Path, ask: Ask) -> None:
    (here / "mine.html").write_text("mine")
    status, _, said = ask("first-run", "-o", "mine.html")
    assert status == 2
    assert said == "virnucpro-bus: mine.html: already exists; choose another name, or add --force\n"
    assert (here / "mine.html").read_text() == "mine"
    assert ask("first-run", "-o", "mine.html", "-f") == (0, "mine.html\n", "")
    assert (here / "mine.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in here.iterdir()) == ["first-run", "mine.html"]


def test_the_page_can_go_to_the_standard_output(here: Path, ask: Ask) -> None:
    status, page, said = ask("first-run", "-o", "-")
    assert (status, said) == (0, "")
    assert "5 of 5 files done" in ParsedPage(page).text
    assert [path.name for path in here.iterdir()] == ["first-run"]


def test_a_folder_that_is_missing_is_one_line(here: Path, ask: Ask) -> None:
    status, _, said = ask("first-run", "-o", "no/page.html")
    assert (status, said) == (2, "virnucpro-bus: no/page.html: cannot be written: No such file or directory\n")


def test_what_is_not_a_capture_is_one_line(here: Path, ask: Ask) -> None:
    (here / "notes.txt").write_text("not a capture")
    status, printed, said = ask("notes.txt")
    assert (status, printed) == (2, "")
    assert said.startswith("virnucpro-bus: notes.txt: ")
    assert said.count("\n") == 1
    assert not (here / "notes-report.html").exists()


def test_an_empty_capture_has_no_page(here: Path, ask: Ask) -> None:
    recorded(here / "empty", [])
    assert ask("empty") == (2, "", "virnucpro-bus: empty/run.vbus: contains no events\n")


def test_a_run_in_progress_has_a_page_that_says_so(here: Path, ask: Ask) -> None:
    folder = recorded(here / "live", small_run(ends=False).envelopes)
    held = RunFolder(folder).claim()
    try:
        status, page, said = ask("live", "-o", "-")
    finally:
        held.release()
    assert (status, said) == (0, "")
    assert "The run on node1 is still going on: all figures are of the last event." in ParsedPage(page).texts


def test_a_run_that_was_broken_off_has_a_page_that_says_so(here: Path, ask: Ask) -> None:
    recorded(here / "killed", small_run(ends=False).envelopes)
    status, page, said = ask("killed", "-o", "-")
    assert status == 0
    assert "the run was broken off; the figures are those up to its last event" in said
    texts = ParsedPage(page).texts
    assert "The run was broken off; the figures are those up to its last event." in texts


def test_damage_is_a_warning_on_the_page(here: Path, ask: Ask) -> None:
    path = here / "first-run" / "run.vbus"
    content = bytearray(path.read_bytes())
    start, stop = spans(read_all(path))[20]
    content[stop - 3] ^= 0xFF
    path.write_bytes(content)
    status, page, said = ask("first-run", "-o", "-")
    assert status == 0
    assert f"{stop - start} bytes are damaged or cut off" in said
    warning = f"{stop - start} bytes are damaged or cut off; the figures lack their events."
    assert warning in ParsedPage(page).texts


def test_the_last_lines_of_failed_attempts_and_of_workers_in_trouble_are_shown_and_no_others(
    here: Path, ask: Ask
) -> None:
    logs = here / "first-run" / "logs"
    logs.mkdir()
    (logs / "b.fa.1.log").write_text("\n".join(f"line {number}" for number in range(100)) + "\nOOM <b>\x1b[2J\n")
    (logs / "worker-1.log").write_text("of the worker")
    for other in ("b.fa.2.log", "a.fa.1.log", "worker-0.log", "other.log"):
        (logs / other).write_text("nothing failed here")
    texts = ParsedPage(ask("first-run", "-o", "-")[1]).texts
    heads = [text for text in texts if text.startswith("The last lines of ")]
    assert heads == ["The last lines of logs/b.fa.1.log", "The last lines of logs/worker-1.log"]
    of_attempt, of_worker = (texts[texts.index(head) + 1] for head in heads)
    assert of_attempt.splitlines() == [*(f"line {number}" for number in range(91, 100)), r"OOM <b>\x1b[2J"]
    assert of_worker.strip() == "of the worker"


def test_two_runs_of_one_name_are_called_as_the_user_wrote_them(here: Path, ask: Ask) -> None:
    (here / "other").mkdir()
    recorded(here / "other" / "first-run", small_run().envelopes)
    texts = ParsedPage(ask("first-run", "other/first-run", "-o", "-")[1]).texts
    assert {"first-run", "other/first-run"} <= set(texts)


def test_a_small_run_is_simulated_and_a_large_one_names_the_command(here: Path, ask: Ask) -> None:
    assert "double the devices" in ParsedPage(ask("first-run", "-o", "-")[1]).texts
    path = here / "a run.vbus"
    write_large_run(path, large_run(100, 16, seconds=60.0, sample_seconds=0.0))
    text = ParsedPage(ask("a run.vbus", "-o", "-")[1]).text
    assert "virnucpro-bus whatif 'a run.vbus'" in text
