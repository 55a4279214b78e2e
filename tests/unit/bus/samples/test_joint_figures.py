"""The figures of several GPUs together follow from those of each; unknown stays unknown."""

from __future__ import annotations

import pytest

from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization
from virnucpro_bus.samples.gpu_figures import GpuFigures
from virnucpro_bus.samples.joint_figures import any_simulated, joint_figures, joint_utilization

SMALL: GpuUtilization = {
    "compute_percent": 20.0,
    "memory_percent": 50.0,
    "temperature": 40.0,
    "power_watts": 100.0,
    "compute_max_percent": 90.0,
    "energy_joules": 7.0,
    "sample_age_seconds": 0.5,
    "simulated": False,
    "lost": False,
    "memory_used_bytes": 10,
    "memory_total_bytes": 20,
}
LARGE: GpuUtilization = {
    "compute_percent": 60.0,
    "memory_percent": 100.0,
    "temperature": 70.0,
    "power_watts": 200.0,
    "compute_max_percent": 80.0,
    "energy_joules": 8.0,
    "sample_age_seconds": 0.1,
    "simulated": False,
    "lost": False,
    "memory_used_bytes": 80,
    "memory_total_bytes": 80,
}


def test_loads_are_averaged_amounts_are_added_and_the_hottest_and_the_oldest_count() -> None:
    assert joint_utilization([SMALL, LARGE]) == {
        "compute_percent": 40.0,
        "memory_percent": 90.0,
        "temperature": 70.0,
        "power_watts": 300.0,
        "compute_max_percent": 90.0,
        "energy_joules": 15.0,
        "sample_age_seconds": 0.5,
        "simulated": False,
        "lost": False,
        "memory_used_bytes": 90,
        "memory_total_bytes": 100,
    }


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("simulated", "lost", "memory_percent")])
def test_a_figure_that_is_unknown_of_one_gpu_is_unknown_of_all_and_no_other_is(name: str) -> None:
    lacking: GpuUtilization = {**LARGE, name: None}  # type: ignore[misc]
    joint, whole = joint_utilization([SMALL, lacking]), joint_utilization([SMALL, LARGE])
    lost = {key for key in whole if joint[key] != whole[key]}  # type: ignore[literal-required]
    assert lost == ({name, "memory_percent"} if name.startswith("memory_") else {name})
    assert joint[name] is None  # type: ignore[literal-required]


def test_a_device_is_lost_or_simulated_if_one_of_its_gpus_is() -> None:
    joint = joint_utilization([{**SMALL, "simulated": True}, {**LARGE, "lost": True}])
    assert (joint["simulated"], joint["lost"]) == (True, True)


def test_one_gpu_has_its_own_figures_and_without_a_gpu_all_are_unknown() -> None:
    assert joint_utilization([SMALL]) is SMALL
    assert joint_utilization([]) == UNKNOWN_UTILIZATION
    assert joint_figures([]) == GpuFigures()


def test_a_file_has_the_mean_load_and_the_sums_of_peaks_and_energies() -> None:
    known = [GpuFigures(20.0, 10, 1.5), GpuFigures(60.0, 30, 2.5)]
    assert joint_figures(known) == GpuFigures(40.0, 40, 4.0)
    assert joint_figures([*known, GpuFigures(100.0)]) == GpuFigures(60.0, None, None)


@pytest.mark.parametrize(
    ("each", "together"),
    [([False, True, None], True), ([False, None], None), ([False, False], False), ([], None)],
)
def test_figures_are_simulated_if_one_is_and_real_only_if_all_are(
    each: list[bool | None], together: bool | None
) -> None:
    assert any_simulated(each) is together
