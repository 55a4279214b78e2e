"""Devices, files and coordinators for tests of the assignment of files."""

from __future__ import annotations

from collections.abc import Sequence, Set
from pathlib import Path

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.inputs.ids import make_ids, need_own_folder
from workers.inputs.input_file import InputFile
from workers.inputs.names import stem_of
from workers.launch.run_plan import RunPlan
from workers.schedule.blame import Loss


def input_file(name: str, cost: int = 1, *, own_folder: bool = False) -> InputFile:
    """An input of that name, below a folder that does not exist."""
    return InputFile(name, Path("/data") / name, name.rpartition(".")[0] or name, cost, cost, own_folder)


def input_files(costs: Sequence[int]) -> list[InputFile]:
    """f0.fa, f1.fa ... of these costs."""
    return [input_file(f"f{number}.fa", cost) for number, cost in enumerate(costs)]


def ids_at(paths: Sequence[Path], reserved: Set[str] = frozenset(), stems: Set[str] = frozenset()) -> list[str]:
    """The ids that files at these paths get."""
    return make_ids([path.name for path in paths], [str(path.parent) for path in paths], reserved, stems)


def files_at(paths: Sequence[Path]) -> list[InputFile]:
    """What find_inputs would return for these paths if they existed."""
    ids, stems = ids_at(paths), [stem_of(path) for path in paths]
    return [
        InputFile(name, path, stem, 0, 0, bool(own))
        for name, path, stem, own in zip(ids, paths, stems, need_own_folder(stems, ids), strict=True)
    ]


def cpus(count: int) -> list[Device]:
    """cpu:0, cpu:1 ..."""
    return [Device(f"cpu:{number}", "CPU", number) for number in range(count)]


def run_plan(
    run_dir: Path, files: Sequence[InputFile] = (), *, job: str = "sixframe", resume: bool = False
) -> RunPlan:
    """The plan of a run on one CPU device, without a dashboard."""
    return RunPlan(
        files=files,
        devices=cpus(1),
        weights=[1.0],
        run_dir=run_dir,
        job=job,
        options={},
        policy="off",
        interval_seconds=1.0,
        dashboard=False,
        log_file=run_dir / "gpu_metrics.log",
        resume=resume,
    )


def coordinator_of(devices: int, costs: list[int], policy: str = "off") -> WorkStealingCoordinator:
    return WorkStealingCoordinator(cpus(devices), input_files(costs), policy=policy, clock=ManualClock())


def one_sided(
    waiting: int, policy: str = "threshold", clock: ManualClock | None = None
) -> WorkStealingCoordinator:
    """`waiting` files in the queue of cpu:1 and none in that of cpu:0, both idle; f0 is the biggest."""
    files = input_files(list(range(waiting, 0, -1)))
    coordinator = WorkStealingCoordinator(
        cpus(2), files, policy=policy, weights=[1e-9, 1.0], clock=clock or ManualClock()
    )
    assert queue_depths(coordinator) == [0, waiting]
    return coordinator


def queue_depths(coordinator: WorkStealingCoordinator) -> list[int | None]:
    return [row["queue_depth"] for row in coordinator.get_gpu_metrics()]


def take(coordinator: WorkStealingCoordinator, device: int | str) -> Assignment:
    assignment = coordinator.next_file(device)
    assert assignment is not None
    return assignment


def lose(
    coordinator: WorkStealingCoordinator, device: str, epoch: int = 1, loss: Loss = Loss.DIED
) -> Assignment | None:
    return coordinator.worker_lost(device, f"worker of {device}", epoch, "was killed by SIGKILL", loss)
