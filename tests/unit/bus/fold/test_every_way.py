"""Whoever joins late, stands still or replays a capture sees all that those see who were there, in every field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given

from tests.support.histories import SHARES, History, histories, joined_late, replayed, seen_live, stood_still
from virnucpro_bus.fold.fleet import FleetState


def everything(fleet: FleetState) -> dict[str, Any]:
    """All that is reported of a fleet."""
    return {
        "report": fleet.report(),
        "elapsed": fleet.elapsed_seconds(),
        "finished": fleet.finished,
        "notices": fleet.notices(),
        "warnings": fleet.stream_warnings(),
        "failures": fleet.failures(),
        "attempts": fleet.attempts(),
    }


@given(history=histories(), first=SHARES, second=SHARES)
def test_who_joins_late_sees_what_those_see_who_were_there(history: History, first: float, second: float) -> None:
    assert everything(joined_late(history, first, second)) == everything(seen_live(history))


@given(history=histories())
def test_a_capture_says_what_those_have_seen_who_were_there(history: History) -> None:
    over = replace(history, is_broken_off=True)
    assert everything(replayed(over)) == everything(seen_live(over))


@given(history=histories(most_reboots=1, clocks_are_set=False), first=SHARES, second=SHARES)
def test_what_was_missed_and_is_read_later_leaves_no_trace(history: History, first: float, second: float) -> None:
    assert everything(stood_still(history, first, second)) == everything(seen_live(history))
