"""What a run reports of itself, against the account of its own jobs, a reckoning of its events, and the disk."""

from __future__ import annotations

import json
import signal
from collections import Counter
from hashlib import sha256
from pathlib import Path

from tests.support.differences import TIMES_AGREE_SECONDS, report_differences
from tests.support.lab import Lab
from tests.support.raw_captures import Event, read_events
from tests.support.reckoning import Reckoning
from tests.support.run_files import Gates, result_names, results, small_files, summary

FILES = 12
JOB = """
from pathlib import Path
from user_jobs import gated

def accounted(input, output, context):
    account = Path(context.options["account"])

    def note(what):
        with account.open("a") as file:
            file.write(f"{what} {input.name} {context.device_key}\\n")

    note("start")
    if input.name in context.options["fails"] and account.read_text().count(f"start {input.name} ") == 1:
        raise RuntimeError("on purpose")
    sequences = gated(input, output, context)
    note(f"{sequences}")
    return sequences
"""
"""Writes a line at the start of an attempt, and at its end one with the number of sequences."""


def agree(out: Path) -> list[Event]:
    """Check the summary of a run against its events and its results; returns the events."""
    events = read_events(out / "run.vbus")
    reckoning = Reckoning(events, events[-1].received_ns)
    assert report_differences(summary(out), reckoning, TIMES_AGREE_SECONDS) == []
    found = results(out)
    digests = {}
    for event in events:
        if event.kind == "file.committed/":
            names = sorted(result_names([event.fields[1]]))
            lines = "".join(f"{sha256(found[name]).hexdigest()}  {name}\n" for name in names)
            digests[event.fields[1]] = sha256(lines.encode()).hexdigest() == event.fields[5]
    assert all(digests.values())
    assert found.keys() == result_names(digests)
    return events


def test_an_interrupted_run_goes_on_where_it_was_and_all_that_count_it_agree(lab: Lab) -> None:
    """Two workers are held up in two files, when attempts have failed, and files were stolen or are pending."""
    names = small_files(lab.folder / "in", FILES)
    (lab.folder / "accounting.py").write_text(JOB)
    gates, account, out = Gates(lab.folder / "gates"), lab.folder / "account", lab.folder / "out"
    gates.close(*names[4:6])
    arguments = (
        *("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", "--weights", "9,1"),
        *("--policy", "threshold", "--job", "accounting:accounted", "--job-option", gates.option),
        *("--job-option", f"account={account}", "--job-option", f"fails={names[0]} {names[-1]}"),
    )
    first = lab.start(*arguments)
    first.until(lambda: len(gates.waiting()) == 2, "both workers are held up")
    for _ in range(2):
        first.signal(signal.SIGINT)
        first.until_it_says("interrupted")
    assert first.wait() == 130
    agree(out)
    done = summary(out)["totals"]["files_completed"]
    assert 0 < done < FILES - 2
    gates.open()
    refused = lab.run(*arguments)
    assert (refused.wait(), refused.stderr.count("\n")) == (2, 1)
    assert "--resume" in refused.stderr
    assert "--force" in refused.stderr
    again = lab.run(*arguments, "--resume")
    assert again.wait() == 0, again.stderr
    assert f"virnucpro-bus: resuming: {done} of {FILES} files are done already\n" in again.stderr
    events = agree(out)

    told, lines = summary(out), [line.split() for line in account.read_text().splitlines()]
    ended = [(key, int(what)) for what, _, key in lines if what != "start"]
    for row in told["devices"]:
        its_own = [sequences for key, sequences in ended if key == row["device_id"]]
        assert (row["files_completed"], row["sequences"]) == (len(its_own), sum(its_own))
    starts = Counter(name for what, name, _ in lines if what == "start")
    assert starts == Counter(event.fields[1] for event in events if event.kind == "file.started/")
    assert {name for name, count in starts.items() if count == 2} == {names[0], names[-1], *names[4:6]}
    assert sum(each.kind == "file.committed/" for each in events) == told["totals"]["files_completed"] == FILES
    assert told["totals"]["steals"] > 0
    assert [e.fields for e in events if e.kind == "run.finished/"] == [[130, done, 0], [0, FILES, 0]]
    replayed = json.loads(lab.run("replay", "out", "--once", "--json").stdout)
    assert {key: told[key] for key in replayed} == replayed
