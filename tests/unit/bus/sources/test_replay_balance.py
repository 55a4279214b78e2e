"""Every integration test ends with a check of the event counts; these tests show that it notices wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.event_balance import assert_that_the_books_balance
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.sources.playback import fold_capture


@pytest.fixture
def report(tmp_path: Path) -> dict[str, Any]:
    """The report of a capture that lies where its summary.json will be, and lacks the second of ten events."""
    frames = some_frames(10)
    write_capture(tmp_path / "run.vbus", [frames[0], *frames[2:]])
    return dict(fold_capture(tmp_path / "run.vbus", SystemClock()).report())


def check_counts(folder: Path, report: dict[str, Any]) -> None:
    (folder / "summary.json").write_text(json.dumps(report))
    assert_that_the_books_balance(folder)


def test_a_true_report_balances(tmp_path: Path, report: dict[str, Any]) -> None:
    check_counts(tmp_path, report)
    assert report["totals"]["events_lost"] == 1


def test_a_loss_that_is_not_reported_is_noticed(tmp_path: Path, report: dict[str, Any]) -> None:
    report["totals"] |= {"events_lost": 0, "events_published": 9}
    with pytest.raises(AssertionError):
        check_counts(tmp_path, report | {"sources": []})


def test_a_loss_that_is_reported_for_another_source_is_noticed(tmp_path: Path, report: dict[str, Any]) -> None:
    report["sources"][0]["source"] = "somebody else"
    with pytest.raises(AssertionError):
        check_counts(tmp_path, report)


def test_totals_that_do_not_add_up_are_noticed_in_what_was_printed_too(
    tmp_path: Path, report: dict[str, Any]
) -> None:
    good = json.dumps(report)
    report["totals"]["events_received"] += 1
    (tmp_path / "command-0.stdout").write_text(f'{good}\n{json.dumps(report)}\n{{"cut": ')
    with pytest.raises(AssertionError):
        assert_that_the_books_balance(tmp_path)
