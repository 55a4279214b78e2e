"""The plan of one worker: names, costs, and how it is cut into events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.buses import Heard, goodbye, hear, listening
from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, encode
from virnucpro_bus.events.run_events import PlannedFile
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.file_names import FileNames, distinct_names
from virnucpro_bus.publish.own_plan import COST_PER_UNIT, plan_events
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.testing import Script


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Heard]:
    with listening(f"ipc://{tmp_path}/publish") as bound:
        yield bound


@pytest.fixture
def bus(listener: Heard, tmp_path: Path) -> Iterator[Publisher]:
    with Publisher(f"ipc://{tmp_path}/publish", device=Device("cpu:0"), heartbeat_seconds=None) as made:
        yield made


def planned(files: list[Any], costs: Any = None) -> list[PlannedFile]:
    """The files of a plan by a worker that knows no others."""
    names = FileNames()
    names.add(files)
    return [file for event in plan_events("cpu:0", files, costs, names) for file in event.files]


def test_a_file_costs_its_size_and_what_is_no_file_that_exists_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_bytes(b"x" * 17)
    seen = planned([tmp_path / "a.fa", "sample 7", b"c.fa"])
    assert [(each.file, each.size_bytes, each.cost) for each in seen] == [
        ("a.fa", 17, 17),
        ("sample 7", 0, 0),
        ("c.fa", 0, 0),
    ]
    assert [each.origin is not None for each in seen] == [True, False, False]


def test_the_costs_that_are_passed_count_whatever_their_unit(tmp_path: Path) -> None:
    assert [each.cost for each in planned(["a", "b", "c"], iter([2, 0.25, 0]))] == [
        2 * COST_PER_UNIT,
        COST_PER_UNIT // 4,
        0,
    ]


def test_a_file_that_is_named_twice_is_planned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [each.file for each in planned(["a.fa", "./a.fa", tmp_path / "a.fa", "b.fa"])] == ["a.fa", "b.fa"]


WRONG_PLANS = {
    "nothing": {"files": None},
    "one path": {"files": "a.fa"},
    "no path": {"files": ["a.fa", 7]},
    "an empty path": {"files": ["a.fa", ""]},
    "too few costs": {"files": ["a", "b"], "costs": [1]},
    "a negative cost": {"files": ["a"], "costs": [-1]},
    "a cost that is no number": {"files": ["a"], "costs": [float("nan")]},
    "one cost": {"files": ["a"], "costs": 1},
}


@pytest.mark.parametrize("wrong", WRONG_PLANS.values(), ids=WRONG_PLANS)
def test_a_plan_that_cannot_be_right_is_dropped_as_a_whole_and_counted(
    bus: Publisher, listener: Heard, wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bus.plan(**wrong)
    bus.close()
    assert [envelope.event for envelope in hear(listener, goodbye)][1] == ev.Heartbeat(
        "cpu:0", "idle", 0, 0, 0, 0, 1
    )
    assert capsys.readouterr().err.startswith("virnucpro-bus: plan: ")


@given(st.integers(0, 400), st.integers(1, 990))
def test_every_event_of_a_plan_fits_into_a_frame(files: int, length: int) -> None:
    paths = [f"/d/{number:04d}{'ü' * length}" for number in range(files)]
    events = plan_events("cpu:0", paths, None, FileNames())
    assert [file.file for event in events for file in event.files] == [path[3:] for path in paths]
    script = Script()
    for event in events:
        assert len(encode(script.say("w", event))) <= MAX_FRAME_BYTES


# Several files of one name.


def test_files_of_one_name_are_called_by_the_shortest_end_that_is_unique() -> None:
    paths = ["/x/1/a.fa", "/y/1/a.fa", "/y/2/a.fa", "/a.fa", "/y/b.fa"]
    assert distinct_names([*paths, *paths]) == {
        "/x/1/a.fa": "x+1+a.fa",
        "/y/1/a.fa": "y+1+a.fa",
        "/y/2/a.fa": "2+a.fa",
        "/a.fa": "+a.fa",
    }


part = st.sampled_from("ab")


@given(st.lists(st.lists(part, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts)), unique=True))
def test_no_two_files_of_one_base_name_have_one_name(paths: list[str]) -> None:
    named = distinct_names(paths)
    for base_name in "ab":
        alike = [path for path in paths if os.path.basename(path) == base_name]
        assert len({named.get(path, base_name) for path in alike}) == len(alike)


def test_all_events_of_a_file_have_the_name_of_its_plan(bus: Publisher, listener: Heard) -> None:
    bus.plan(["/d/1/a.fa", "/d/2/a.fa"])
    with bus.file(Path("/d/2/a.fa")) as done:
        done.progress(1)
    bus.work_stolen(source=1, file="/d/1/../1/a.fa")
    bus.file_failed("/d/1/a.fa", "bad")
    bus.file_started("/elsewhere/c.fa")
    bus.close()
    events = [envelope.event for envelope in hear(listener, goodbye)][1:-2]
    assert [file.file for file in events[0].files] == ["1+a.fa", "2+a.fa"]
    assert [event.file for event in events[1:]] == ["2+a.fa"] * 3 + ["1+a.fa"] * 2 + ["c.fa"]


def test_workers_that_know_of_the_same_files_call_them_alike(bus: Publisher, listener: Heard) -> None:
    bus.plan(["/d/2/a.fa"], among=["/d/1/a.fa", "/d/2/a.fa"])
    bus.work_stolen(source=1, file="/d/1/a.fa")
    bus.close()
    plan, stolen = [envelope.event for envelope in hear(listener, goodbye)][1:3]
    assert ([file.file for file in plan.files], stolen.file) == (["2+a.fa"], "1+a.fa")
