"""One GPU under two names is one row, whatever the order in which the names came."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.support.captures import write_capture
from tests.support.exported import exported_rows
from tests.support.recordings import recorded
from virnucpro_bus import events as ev
from virnucpro_bus.devices import only_one_with_prefix
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.run_events import OWN_POLICY
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from virnucpro_bus.traces.layout import rows_of

FULL = Device("GPU-8932f9-aa", "A100", 0)
OTHER = Device("GPU-77-bb", "A100", 1)
PLACE = Device("nvml:1", "", 1)


def folded(said: list[Envelope], script: Script) -> FleetState:
    fleet = FleetState(script.clock)
    for envelope in said:
        fleet.apply(envelope)
    return fleet


def rows(script: Script, said: list[Envelope] | None = None) -> list[dict[str, Any]]:
    return [dict(device) for device in folded(said or script.envelopes, script).report()["devices"]]


# A GPU that could not tell its UUID at first.


def test_a_gpu_that_tells_its_uuid_later_is_no_longer_a_row_by_its_place_whatever_comes_first() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(FULL, 5.0))
    script.say("sampler", ev.GpuSampled(PLACE, lost=True))
    assert [row["device_id"] for row in rows(script)] == [0, 1]
    script.say("sampler", ev.GpuSampled(OTHER, 7.0), after_seconds=0.5)
    for said in permutations(script.envelopes):
        found = rows(script, list(said))
        assert [(row["uuid"], row["state"]) for row in found] == [(FULL.key, "unused"), (OTHER.key, "unused")]
        assert folded(list(said), script).get_gpu_utilization(1)["compute_percent"] == 7.0


def test_a_gpu_that_cannot_tell_its_uuid_any_more_to_a_new_sampler_is_a_row_again() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(OTHER, 7.0))
    script.say("sampler", ev.GpuSampled(PLACE, lost=True), epoch=2, after_seconds=5)
    assert [row["uuid"] for row in rows(script)] == [OTHER.key, None]
    assert folded(script.envelopes, script).get_gpu_utilization(1)["lost"]


# A worker that knows the beginning of its GPU's UUID.


def worked(key: str) -> Script:
    """A worker of that name does a file of two seconds, while both GPUs are looked at; the first at 40 %."""
    script = Script()
    script.say("w0", ev.WorkerStarted(Device(key), 100))
    for _ in range(6):
        script.say("sampler", ev.GpuSampled(FULL, 40.0, memory_used_bytes=3), after_seconds=0.5)
        script.say("sampler", ev.GpuSampled(OTHER, 90.0))
    script.say("w0", ev.FileCompleted(key, "a.fa", 0, 7, 2.0))
    return script


@pytest.mark.parametrize("key", ["GPU-8932f9-aa", "GPU-8932", "GPU-8"])
def test_a_worker_that_knows_how_its_gpus_uuid_begins_is_one_row_with_its_samples(key: str) -> None:
    first, second = rows(worked(key))
    named = (first["device_id"], first["device_name"], first["uuid"])
    assert (*named, first["files_completed"], first["compute_percent"]) == (0, "A100", FULL.key, 1, 40.0)
    assert (second["uuid"], second["files_completed"]) == (OTHER.key, 0)


@pytest.mark.parametrize("key", ["GPU-", "GPU-9", "MIG-8", "cuda:0"])
def test_a_name_that_fits_no_gpu_or_several_is_a_row_without_figures(key: str) -> None:
    *_, own = rows(worked(key))
    assert (own["device_id"], own["files_completed"], own["compute_percent"]) == (key, 1, None)


def test_its_files_are_told_with_the_figures_of_that_gpu() -> None:
    script = worked("GPU-89")
    (file,) = folded(script.envelopes, script).files()
    assert (file["device"], file["device_id"], file["compute_percent"]) == (FULL.key, 0, 40.0)
    assert file["simulated"] is False


def test_its_files_are_exported_with_the_figures_of_that_gpu(tmp_path: Path) -> None:
    write_capture(tmp_path / "run.vbus", worked("GPU-89").frames())
    (file,) = exported_rows(tmp_path / "run.vbus")
    assert (file["device"], file["compute_percent"], file["memory_peak_bytes"]) == (FULL.key, 40.0, 3)


def test_when_that_gpu_is_lost_its_worker_is() -> None:
    script = worked("GPU-89")
    script.say("sampler", ev.GpuSampled(FULL, lost=True))
    assert [(row["state"], row["lost"]) for row in rows(script)] == [("lost", True), ("unused", False)]


def test_workers_of_both_names_are_two_rows_so_that_nobodys_work_is_hidden() -> None:
    script = worked("GPU-89")
    script.say("w1", ev.WorkerStarted(FULL, 101))
    script.say("w1", ev.FileCompleted(FULL.key, "b.fa", 0, 7, 2.0))
    assert [(row["device_id"], row["files_completed"]) for row in rows(script)] == [(0, 1), (1, 0), ("GPU-89", 1)]


def test_two_beginnings_of_one_uuid_are_two_rows() -> None:
    script = worked("GPU-89")
    script.say("w1", ev.WorkerStarted(Device("GPU-893"), 101))
    assert [row["device_id"] for row in rows(script)] == [0, 1, "GPU-89", "GPU-893"]


@pytest.mark.parametrize(
    ("beginning", "found"),
    [("GPU-a", "GPU-ab"), ("GPU-ab", "GPU-ab"), ("GPU-b", None), ("GPU-c", None), ("GPU-", None), ("G", None)],
)
def test_the_only_uuid_that_begins_so_is_found_among_sorted_ones(beginning: str, found: str | None) -> None:
    assert only_one_with_prefix(beginning, ["GPU-ab", "GPU-ba", "GPU-bb"]) == found


# A worker that knows what CUDA calls its GPU.


def counted(*keys: str, gpus: int | None = 2, sampled: tuple[Device, ...] = (FULL, OTHER)) -> Script:
    """Workers of these names, whose processes may use so many GPUs, do a file each; FULL is at 40 %."""
    script = Script()
    for number, key in enumerate(keys):
        script.say(f"w{number}", ev.WorkerStarted(Device(key), 100 + number, gpus=gpus))
    for _ in range(6):
        for gpu in sampled:
            script.say("sampler", ev.GpuSampled(gpu, 40.0 if gpu == FULL else 90.0), after_seconds=0.5)
    for number, key in enumerate(keys):
        script.say(f"w{number}", ev.FileCompleted(key, f"{number}.fa", 0, 7, 2.0))
    return script


def shown(script: Script, said: list[Envelope] | None = None) -> list[tuple[object, ...]]:
    """What each row is called, its GPUs, its files and its load."""
    return [
        (row["device_id"], row["gpus"], row["files_completed"], row["compute_percent"])
        for row in rows(script, said)
    ]


def test_cudas_number_is_the_gpu_with_that_index_whatever_comes_first() -> None:
    script = counted("cuda:1", "cuda:0")
    first, other = (0, [FULL.key], 1, 40.0), (1, [OTHER.key], 1, 90.0)
    assert shown(script) == shown(script, script.envelopes[::-1]) == [first, other]
    assert [row["state"] for row in rows(script)] == ["idle", "idle"]


def test_of_several_workers_of_one_number_it_is_unknown_which_gpu_they_use() -> None:
    assert shown(counted("cuda:0", "cuda:0#2", "cuda:1")) == [
        (0, [FULL.key], 0, 40.0),
        (1, [OTHER.key], 1, 90.0),
        ("cuda:0", ["cuda:0"], 1, None),
        ("cuda:0#2", ["cuda:0"], 1, None),
    ]


def test_a_second_worker_of_a_uuid_is_called_by_the_index_too() -> None:
    assert [row[0] for row in shown(counted(FULL.key, f"{FULL.key}#2", "GPU-77#2"))] == [0, "0#2", "1#2"]


MIG = Device("MIG-1", "A100 MIG 1g")


@pytest.mark.parametrize(
    ("gpus", "sampled"),
    [
        pytest.param(2, (FULL, Device(OTHER.key, "V100", 1)), id="names that differ"),
        pytest.param(2, (Device(FULL.key, "", 0), Device(OTHER.key, "", 1)), id="no names"),
        pytest.param(1, (FULL, OTHER), id="the process may use one of two"),
        pytest.param(None, (FULL, OTHER), id="unknown how many"),
        pytest.param(2, (FULL,), id="one of two was sampled"),
        pytest.param(3, (FULL, OTHER, MIG), id="an instance of a divided GPU"),
        pytest.param(2, (FULL, Device(OTHER.key, "A100", 4)), id="an index is missing"),
    ],
)
def test_where_cudas_number_may_mean_another_gpu_the_worker_is_a_row_without_figures(
    gpus: int | None, sampled: tuple[Device, ...]
) -> None:
    assert ("cuda:0", ["cuda:0"], 1, None) in shown(counted("cuda:0", gpus=gpus, sampled=sampled))


def test_a_gpu_that_another_worker_names_by_uuid_is_that_ones() -> None:
    assert shown(counted("cuda:0", FULL.key)) == [
        (0, [FULL.key], 1, 40.0),
        (1, [OTHER.key], 0, 90.0),
        ("cuda:0", ["cuda:0"], 1, None),
    ]


@pytest.mark.parametrize("reversed_", [False, True])
def test_workers_that_count_differently_leave_it_unknown_which_gpu_it_is(reversed_: bool) -> None:
    script = counted("cuda:0")
    script.say("w9", ev.WorkerStarted(Device("cuda:0"), 109, gpus=1), epoch=2)
    said = script.envelopes[::-1] if reversed_ else script.envelopes
    assert ("cuda:0", ["cuda:0"], 1, None) in shown(script, said)


def test_a_gpu_of_the_run_that_was_announced_is_not_taken_by_another_program() -> None:
    script = counted("cuda:0")
    script.say("coordinator", ev.RunStarted("job", "off", (FULL,), 1))
    assert ("cuda:0", 1) in [(row[0], row[2]) for row in shown(script)]


def test_the_workers_of_a_run_of_their_own_have_their_gpus() -> None:
    script = counted("cuda:0", "cuda:1")
    for number in range(2):
        plan = ev.FilesAssigned(f"cuda:{number}", (ev.PlannedFile(f"{number}.fa", 1, 1),))
        script.say(f"w{number}", plan)
    script.say("coordinator", ev.RunStarted("job", OWN_POLICY, (Device("cuda:0"), Device("cuda:1")), 2))
    assert [row[:2] for row in shown(script)] == [(0, [FULL.key]), (1, [OTHER.key])]
    effect = folded(script.envelopes, script).report()["effect"]
    assert effect["busy_seconds"].keys() == effect["idle_seconds"].keys() == {FULL.key, OTHER.key}


def test_files_steals_tables_and_traces_call_the_gpu_as_its_row_does(tmp_path: Path) -> None:
    script = counted("GPU-89", "GPU-89#2", "cuda:1")
    script.say("w0", ev.WorkStolen("GPU-89", "cuda:1", "9.fa", 0, 1))
    fleet = folded(script.envelopes, script)
    keys = [row["key"] for row in fleet.report()["devices"]]
    assert keys == [FULL.key, f"{FULL.key}#2", OTHER.key]
    files = fleet.report()["files"]
    assert [(file["device"], file["device_id"], file["compute_percent"]) for file in files] == [
        (FULL.key, 0, 40.0),
        (f"{FULL.key}#2", "0#2", 40.0),
        (OTHER.key, 1, 90.0),
    ]
    (steal,) = fleet.report()["steals"]
    assert (steal["dest_gpu"], steal["source_gpu"]) == (0, 1)
    write_capture(tmp_path / "run.vbus", script.frames(), step_seconds=0.5)
    table = exported_rows(tmp_path / "run.vbus")
    assert sorted((row["device"], row["device_index"], row["compute_percent"]) for row in table) == [
        (OTHER.key, 1, 90.0),
        (FULL.key, 0, 40.0),
        (f"{FULL.key}#2", 0, 40.0),
    ]
    (host,) = rows_of([recorded(script)])
    names = {row.name.split(" A100")[0]: [counter.name for counter in row.counters] for row in host.rows}
    assert set(names) == {"GPU 0", "GPU 0#2", "GPU 1"}
    assert names["GPU 0"]
    assert names["GPU 1"]
