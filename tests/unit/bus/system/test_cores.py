"""How many cores may be used, on machines that are files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.system.cores import Cores, usable_cores


@pytest.fixture(autouse=True)
def machine_of_sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))


class Machine:
    """A folder that stands for /proc/self, and the cgroups that it refers to."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.mount = folder / "a mount"
        self.proc.mkdir()
        self.mount.mkdir()

    def has(self, group: str, *, version: int, root: str = "/") -> None:
        """The process is in `group`, of a hierarchy of which `root` is mounted."""
        kind = "cgroup2 cgroup2 rw" if version == 2 else "cgroup cgroup rw,cpu,cpuacct"
        mount = str(self.mount).replace(" ", r"\040")
        (self.proc / "mountinfo").write_text(
            f"24 1 0:5 / /proc rw - proc proc rw\n31 24 0:9 {root} {mount} rw shared:9 - {kind}\n"
        )
        (self.proc / "cgroup").write_text(
            f"0::{group}\n" if version == 2 else f"4:memory:/\n3:cpu,cpuacct:{group}\n"
        )

    def limit(self, below: str, quota: str, period: str = "100000", *, version: int) -> None:
        """A group has a quota; `below` is its path below the mount."""
        folder = self.mount / below
        folder.mkdir(parents=True, exist_ok=True)
        if version == 2:
            (folder / "cpu.max").write_text(f"{quota} {period}\n")
        else:
            (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
            (folder / "cpu.cfs_period_us").write_text(f"{period}\n")

    def cores(self, **environment: str) -> Cores:
        return usable_cores(environment, self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_limits_all_cores_of_the_machine_are_usable(machine: Machine) -> None:
    assert machine.cores() == (16, None)


def test_affinity_limits_the_cores(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 5, 7})
    assert machine.cores() == (3, "CPU affinity")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("quota", "number", "limit"),
    [
        ("50000", 1, "cgroup quota: 0.5 cores"),
        ("400000", 4, "cgroup quota: 4 cores"),
        ("410000", 5, "cgroup quota: 4.1 cores"),
        ("1600000", 16, None),
    ],
)
def test_a_quota_counts_in_whole_cores_and_at_least_one(
    machine: Machine, version: int, quota: str, number: int, limit: str | None
) -> None:
    machine.has("/job", version=version)
    machine.limit("job", quota, version=version)
    assert machine.cores() == (number, limit)


@pytest.mark.parametrize("version", [1, 2])
def test_the_least_quota_along_the_path_counts(machine: Machine, version: int) -> None:
    machine.has("/slurm/job/step", version=version)
    machine.limit("slurm", "800000", version=version)
    machine.limit("slurm/job", "300000", version=version)
    machine.limit("slurm/job/step", "max" if version == 2 else "-1", version=version)
    machine.limit("slurm/another", "100000", version=version)
    assert machine.cores().number == 3


@pytest.mark.parametrize("group", ["/docker/1a2b", "/", "/../..", "/elsewhere"])
@pytest.mark.parametrize("version", [1, 2])
def test_in_a_container_what_is_mounted_is_the_groups_own_folder(
    machine: Machine, version: int, group: str
) -> None:
    machine.has(group, version=version, root="/docker/1a2b")
    machine.limit("", "200000", version=version)
    assert machine.cores().number == 2


def test_a_version_2_without_the_cpu_controller_does_not_hide_version_1(machine: Machine) -> None:
    machine.has("/job", version=1)
    (machine.proc / "cgroup").write_text("1:cpu:/job\n0::/\n")
    machine.limit("job", "200000", version=1)
    assert machine.cores().number == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4", (4, "SLURM_CPUS_PER_TASK=4")),
        ("64", (16, None)),
        ("", (16, None)),
        ("0", (16, None)),
        ("-3", (16, None)),
        ("four", (16, None)),
    ],
)
def test_slurm_limits_the_cores_of_a_task(machine: Machine, value: str, expected: tuple[int, str | None]) -> None:
    assert machine.cores(SLURM_CPUS_PER_TASK=value) == expected


@given(
    mounts=st.text(st.sampled_from("/ -\n\\04cgroup2,cpu"), max_size=80), groups=st.text("0:/,cpu\n", max_size=40)
)
def test_whatever_the_kernel_writes_the_answer_is_a_number(
    tmp_path_factory: pytest.TempPathFactory, mounts: str, groups: str
) -> None:
    proc = tmp_path_factory.mktemp("proc")
    (proc / "mountinfo").write_text(mounts)
    (proc / "cgroup").write_text(groups)
    assert 1 <= usable_cores({}, proc).number <= 16
