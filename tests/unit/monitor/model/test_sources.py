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
    details = run_details(Work(), 7.0, Failures().add)
    with details.frozen():
        assert details.elapsed_seconds() == 7.0
    assert not details.finished
    assert (details.notices(), details.stream_warnings(), details.lossy_sources()) == ([], [], [])
    assert (details.failures(), details.attempts(), details.get_effect()) == ({}, None, None)
    assert utilization_details(Gpus(), Failures().add).get_utilizations_of([]) is None


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

    assert run_details(Unstarted(), 7.0, Failures().add).elapsed_seconds() is None


@pytest.mark.parametrize("raising", ["get_totals", "get_recent_steal_events", *ABILITIES])
def test_a_detail_that_raises_is_reported_and_the_rest_is_shown(raising: str) -> None:
    def broken(self: object) -> object:
        raise RuntimeError(f"no {raising}")

    ability: object = property(broken) if raising == "finished" else broken
    model = Collector(
        type("Broken", (Work,), {raising: ability})(), Gpus(), ManualClock(), failures := Failures()
    ).collect("", None)
    assert [metrics["device_id"] for metrics, _ in model.rows] == [0, "cpu:0"]
    assert model.totals["files_completed"] == 8
    told = [problem.text for problem in failures.problems()]
    # Failed attempts are only asked for where files have failed.
    assert told == (
        [] if raising == "attempts" else [f"dashboard: 1 failure, the latest: RuntimeError: no {raising}"]
    )


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("elapsed_seconds", "a while"),
        ("notices", ["a notice"]),
        ("stream_warnings", "a warning"),
        ("failures", ["bad.fa"]),
        ("get_totals", 7),
        ("get_recent_steal_events", None),
        ("get_effect", 12.5),
    ],
)
def test_a_detail_of_another_type_is_reported_and_unknown(name: str, answer: object) -> None:
    failures = Failures()
    source = type("Other", (Work,), {name: lambda self: answer})()
    details = run_details(source, None, failures.add)
    assert getattr(details, name)() == getattr(run_details(object(), None, failures.add), name)()  # type: ignore[arg-type]
    (problem,) = failures.problems()
    assert problem.text.startswith(f"dashboard: 1 failure, the latest: TypeError: {name}: Expected ")


@pytest.mark.parametrize("other", [{"failures": 3}, {"finished": lambda self: True}, {"notices": None}])
def test_what_only_has_the_name_of_a_detail_is_none(other: dict[str, object]) -> None:
    failures = Failures()
    model = Collector(type("Other", (Work,), other)(), Gpus(), ManualClock(), failures).collect("", None)
    assert (model.is_over, model.health, failures.problems()) == (False, (), ())
