"""Which command is called when: a pure state machine."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from monitor.scripting.calls import KINDS, Call, Calls, Kind, Seen, Stall
from monitor.scripting.facts import facts_of
from monitor.scripting.standing import Standing
from virnucpro_bus.run_reports import FailedFile

RUNNING = Standing("run1", None, "running", None, "run-1", 9, 3, 0, 12.0)
OVER = replace(RUNNING, state="finished", exit_code=0)
STALL = Stall("3", "node1", "silent")
ALL = frozenset(KINDS)


def failed(file: str) -> FailedFile:
    return {
        "file": file,
        "host": "node1",
        "device": "GPU-a",
        "device_id": 3,
        "attempts": 2,
        "reason": "no\nmemory",
        "log": None,
        "failed": 5.0,
    }


def with_failures(*files: str, standing: Standing = RUNNING) -> Seen:
    return Seen(standing, files, [failed(file) for file in files])


def due(calls: Calls) -> list[Call]:
    return list(iter(calls.next_call, None))


def kinds(calls: Calls) -> list[Kind]:
    return [call.kind for call in due(calls)]


def test_nothing_is_called_while_nothing_happens() -> None:
    calls = Calls(ALL)
    calls.observe(Seen(RUNNING))
    assert due(calls) == []


def test_failures_that_come_while_a_command_runs_are_gathered_into_the_next_call() -> None:
    calls = Calls(ALL)
    calls.observe(with_failures("a"))
    (first,) = due(calls)
    assert (first.count, first.failed) == (1, failed("a"))
    calls.observe(with_failures("a", "b"))
    calls.observe(with_failures("a", "b", "c"))
    (second,) = due(calls)
    assert (second.count, second.failed) == (2, failed("c"))


def test_a_file_that_was_pending_again_and_fails_again_counts_again() -> None:
    calls = Calls(ALL)
    for seen, expected in ((with_failures("a"), 1), (with_failures(), 0), (with_failures("a"), 1)):
        calls.observe(seen)
        assert len(due(calls)) == expected


def test_a_stall_is_reported_once_and_again_only_after_the_device_has_recovered() -> None:
    calls = Calls(ALL)
    stalled, fine = Seen(RUNNING, stalls={"3": STALL}), Seen(RUNNING)
    for seen, expected in ((stalled, ["stall"]), (stalled, []), (fine, []), (stalled, ["stall"])):
        calls.observe(seen)
        assert kinds(calls) == expected


def test_a_device_that_recovers_before_the_command_could_be_called_is_not_reported() -> None:
    calls = Calls(ALL)
    calls.observe(Seen(RUNNING, stalls={"3": STALL}))
    calls.observe(Seen(RUNNING))
    assert due(calls) == []


def test_the_end_comes_once_and_after_the_last_failures_and_no_stall_comes_after_it() -> None:
    calls = Calls(ALL)
    calls.observe(replace(with_failures("a", standing=OVER), stalls={"3": STALL}))
    assert kinds(calls) == ["failure", "end"]
    calls.observe(with_failures("a", "b", standing=OVER))
    assert due(calls) == []


def test_of_two_runs_each_has_its_own_end() -> None:
    calls = Calls(ALL)
    for name in ("run1", "run2", "run1"):
        calls.observe(Seen(replace(OVER, target=name)))
    assert [call.standing.target for call in due(calls)] == ["run1", "run2"]


def test_what_is_not_wanted_is_not_called() -> None:
    calls = Calls(frozenset({"end"}))
    calls.observe(replace(with_failures("a", standing=OVER), stalls={"3": STALL}))
    assert kinds(calls) == ["end"]


@given(st.lists(st.frozensets(st.sampled_from("abcdef")).map(sorted), max_size=12), st.data())
def test_every_failure_is_counted_in_exactly_one_call(seen: list[list[str]], data: st.DataObject) -> None:
    calls, found, before, new = Calls(ALL), 0, set[str](), 0
    for files in seen:
        calls.observe(with_failures(*files))
        new += len(set(files) - before)
        before = set(files)
        if data.draw(st.booleans()):
            found += sum(call.count for call in due(calls))
    found += sum(call.count for call in due(calls))
    assert found == new


def test_the_facts_are_visible_text_and_what_is_unknown_is_empty() -> None:
    facts = facts_of(Call("failure", RUNNING, 2, failed("x\x1b[2J\0.fa")))
    assert facts["VIRNUCPRO_EVENT"] == "failure"
    assert facts["VIRNUCPRO_EVENT_FILE"] == r"x\x1b[2J\x00.fa"
    assert facts["VIRNUCPRO_EVENT_REASON"] == r"no\x0amemory"
    uncounted = {**failed("x.fa"), "attempts": 0}  # as workers of one's own report
    assert facts_of(Call("failure", RUNNING, 1, uncounted))["VIRNUCPRO_EVENT_ATTEMPTS"] == ""  # type: ignore[arg-type]
    early = replace(RUNNING, state="finished", early="3 of 9 files have failed")
    assert facts_of(Call("end", early, 0))["VIRNUCPRO_EVENT_REASON"] == early.early
    assert (facts["VIRNUCPRO_EVENT_COUNT"], facts["VIRNUCPRO_EVENT_DEVICE"]) == ("2", "3")
    assert (facts["VIRNUCPRO_EVENT_EXIT_CODE"], facts["VIRNUCPRO_EVENT_LOG"]) == ("", "")
    assert not any(name.startswith("VIRNUCPRO_BUS") for name in facts)
