"""The figures of a replay at any moment, against a slow reckoning that shares nothing with the program."""

from __future__ import annotations

import ast
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import raw_captures
from tests.support.differences import report_differences
from tests.support.made_up_runs import made_up_captures
from tests.support.raw_captures import NS, MadeCapture, read_events
from tests.support.reckoning import Reckoning
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.sources.playback import fold_capture


@pytest.mark.parametrize("name", ["raw_captures", "reckoning", "made_up_runs"])
def test_the_reckoning_imports_nothing_of_the_program(name: str) -> None:
    tree = ast.parse((Path(raw_captures.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {str(module).partition(".")[0] for module in imported}.isdisjoint(
        {"virnucpro_bus", "workers", "monitor"}
    )


@given(made_up_captures() | made_up_captures(hosts=2), st.lists(st.floats(0, 1), max_size=4))
def test_a_report_of_any_moment_has_the_figures_of_an_independent_reckoning(
    made: MadeCapture, shares: list[float]
) -> None:
    with TemporaryDirectory() as folder:
        path = made.write(Path(folder) / "run.vbus")
        events = read_events(path)
        first_ns, last_ns = events[0].received_ns, events[-1].received_ns
        for share in [*shares, 1.0]:
            seconds = share * (last_ns - first_ns) / NS
            report = fold_capture(path, SystemClock(), seconds).report()
            assert report_differences(report, Reckoning(events, first_ns + int(seconds * NS))) == []


def simulated_run(joules: dict[str, int], hosts: tuple[str, ...] = ("node",)) -> MadeCapture:
    """A run on two simulated GPUs of each host, which have used so much energy by their third sample."""
    made = MadeCapture()
    for host in hosts:
        devices = [[key, "Simulated", number] for number, key in enumerate(("sim:0", "sim:1"))]
        made.add(0.0, "run.started/", ["job", "cost", devices, 2], source="coordinator", host=host)
        for device in devices:
            made.add(0.0, "worker.started/", [device, 1], source=f"worker-{device[2]}", host=host)
            for number in range(3):
                energy = 1_000 * joules[f"{host} {device[0]}"] // (3 - number)
                sample = [device, 50.0, 40.0, 4, 10, 60.0, 200.0, False, energy, True]
                made.add(number / 2, "gpu.sampled/", sample, source="sampler", host=host)
    return made


def test_each_row_has_the_gpu_figures_of_its_own_run_and_host(tmp_path: Path) -> None:
    """Simulated GPUs are called alike in every run and on every host."""
    used = {
        "a": {"node sim:0": 10, "node sim:1": 20},
        "b": {"node sim:0": 30, "node sim:1": 40, "other sim:0": 50, "other sim:1": 60},
    }
    fleets = {}
    for name, joules in used.items():
        hosts = tuple({of.partition(" ")[0]: None for of in joules})
        path = simulated_run(joules, hosts).write(tmp_path / name)
        fleets[name] = fold_capture(path, SystemClock())
    for row in FleetGroup(fleets).report()["devices"]:
        assert row["energy_joules"] == used[row["run"]][f"{row['host']} {row['device_id']}"]  # type: ignore[typeddict-item]
        assert row["simulated"]
