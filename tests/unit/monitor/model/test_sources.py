"""What sources may offer beyond their two protocols: each method is optional on its own."""

from __future__ import annotations

import pytest

from monitor.model.collector import Collector, Failures
from monitor.model.sources import RunDetails, run_details, utilization_details
from tests.support.fake_sources import Gpus, Work
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup

ABILITIES = {
    "elapsed_seconds": lambda self: 60.0,
    "finished": True,
    "notices": lambda self: [(0, "a notice")],
    "stream_warnings": lambda self: ["a warning"],
    "lossy_sources": lambda self: [],
    "failures": lambda self: {"bad.fa": "ValueError"},
    "attempts": lambda self: {},
    "get_effect": lambda self: None,
}


def test_a_fleet_and_a_group_of_fleets_offer_all_details() -> None:
    # mypy checks the signatures, this test the answers.
    offering: list[RunDetails] = [FleetState(ManualClock()), FleetGroup({}, list)]
    for source in offering:
        with source.frozen():
            assert (source.notices(), source.failures(), source.finished) == ([], {}, False)


def test_a_source_with_no_more_than_its_protocol_has_defaults_for_everything() -> None:
    details = run_details(Work(), 7.0)
    with details.frozen():
        assert details.elapsed_seconds() == 7.0
    assert not details.finished
    assert (details.notices(), details.stream_warnings(), details.lossy_sources()) == ([], [], [])
    assert (details.failures(), details.attempts(), details.get_effect()) == ({}, None, None)
    assert utilization_details(Gpus()).get_utilizations_of([]) is None


@pytest.mark.parametrize("ability", ABILITIES)
def test_a_source_may_offer_any_one_detail_alone(ability: str) -> None:
    source = type("Partial", (Work,), {ability: ABILITIES[ability]})()
    model = Collector(source, Gpus(), ManualClock(), Failures()).collect("", None)
    seen = {
        "elapsed_seconds": model.elapsed_seconds == 60.0,
        "finished": model.is_over,
        "notices": len(model.news) == 1,
        "stream_warnings": [problem.text for problem in model.health] == ["a warning"],
        "failures": [problem.text for problem in model.health] == ["failed: bad.fa (ValueError)"],
    }
    assert {name for name, is_seen in seen.items() if is_seen} == {ability} & seen.keys()


def test_a_detail_that_is_unknown_to_the_source_stays_unknown() -> None:
    class Unstarted(Work):
        def elapsed_seconds(self) -> float | None:
            return None

    assert run_details(Unstarted(), 7.0).elapsed_seconds() is None
