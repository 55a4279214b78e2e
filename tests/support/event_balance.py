"""Checks that published = received + lost for every source, in everything that a test leaves behind.

Every integration test ends with this check (the fixture `lab`), whatever else it is about.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.events.codec import decode

Stream = tuple[str, str, int]
"""Host, source, epoch."""


def assert_that_the_books_balance(folder: Path) -> None:
    """Check what the commands run in `folder` have printed, and each run's summary against its own capture."""
    for printed in folder.glob("command-*.stdout"):
        for report in reports_in(printed.read_text(errors="replace")):
            assert_that_it_balances(report)
    for path in folder.rglob("summary.json"):
        report = json.loads(path.read_text())
        assert_that_it_balances(report)
        assert_that_it_tells_what_is_on_record(report, path.with_name("run.vbus"))


def reports_in(text: str) -> Iterator[dict[str, Any]]:
    """The `--json` reports in what a command has printed; it may have been killed within the last one."""
    decoder, at = json.JSONDecoder(), 0
    while text.startswith("{", at):
        try:
            found, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return
        at += 1  # the end of its line
        if "totals" in found:
            yield found


def assert_that_it_balances(report: dict[str, Any]) -> None:
    totals, sources = report["totals"], report["sources"]
    assert totals["events_received"] + totals["events_lost"] == totals["events_published"], totals
    for source in sources:
        assert source["received"] + source["lost"] == source["published"], source
        assert source["lost"] > 0, source
    assert sum(source["lost"] for source in sources) == totals["events_lost"], report


def assert_that_it_tells_what_is_on_record(report: dict[str, Any], capture: Path) -> None:
    """Hold the report to a count of our own of what is in the capture."""
    seen: dict[Stream, set[int]] = defaultdict(set)
    for record in CaptureReader(capture):
        envelope = decode(record.frame)
        seen[envelope.host, envelope.source, envelope.epoch].add(envelope.seq)
    lost = {stream: max(seqs) - len(seqs) for stream, seqs in seen.items() if max(seqs) > len(seqs)}
    assert {(each["host"], each["source"], each["epoch"]): each["lost"] for each in report["sources"]} == lost
    totals = report["totals"]
    assert totals["events_received"] == sum(map(len, seen.values()))
    assert totals["events_published"] == sum(map(max, seen.values()))
