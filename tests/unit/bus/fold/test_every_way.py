"""Whoever joins late, stands still or replays a capture sees all that those see who were there, in every field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.histories import SHARES, WAYS, History, histories, seen_live, stood_still
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


@given(history=histories(most_reboots=1, clocks_are_set=False), first=SHARES, second=SHARES)
def test_what_was_missed_and_is_read_later_leaves_no_trace(history: History, first: float, second: float) -> None:
    assert everything(stood_still(history, first, second)) == everything(seen_live(history, first, second))


@pytest.mark.parametrize("way", WAYS)
@given(history=histories(), first=SHARES, second=SHARES)
def test_every_figure_is_that_of_who_was_there(way: str, history: History, first: float, second: float) -> None:
    assert everything(WAYS[way](history, first, second)) == everything(seen_live(history, first, second))
