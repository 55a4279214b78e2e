"""The workforce of a run: its devices, and what runs the workers on them, from the options that say so."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from virnucpro_bus.devices import has_gpu
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.console import say
from workers.cli.run_options import LOCAL
from workers.inputs.input_file import InputFile
from workers.launch.device_discovery import find_devices, place_workers, simulated_gpus
from workers.launch.device_locks import DeviceLocks
from workers.pool.zygote import Zygote

if TYPE_CHECKING:
    from workers.dask.engine import ClusterOptions
    from workers.desk.executor import Executor, MakeExecutor, Workplace


@dataclass
class Workforce:
    """The devices of a run, and what runs their workers. Entered while the run lasts."""

    devices: Sequence[Device]
    make_executor: MakeExecutor
    is_here: bool = True
    """Whether some of the devices are this machine's."""
    locks: DeviceLocks | None = None
    """The locks on the GPUs, where that is for us to decide."""
    close: Callable[[], object] | None = None
    """Ends what was started or connected for the run; None: nothing was."""
    _entered: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Lock the GPUs. Raises UserError when another run has one."""
        if self.close is not None:
            self._entered.callback(self.close)
        if self.locks is not None:
            self._entered.enter_context(self.locks)
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered.close()


def choose_workforce(
    zygote: Zygote,
    engine: str,
    cluster: tuple[str | None, Path | None, str | None],
    devices: str,
    workers_per_device: int,
    fake_gpus: int | None,
    run_dir: Path,
    files: Sequence[InputFile],
) -> Workforce:
    """Return the workforce that the options of `run` choose. Connects to a cluster that exists. Raises UserError.

    `zygote` is to fork the workers of the engine `local`. `cluster` has the values of --scheduler,
    --scheduler-file and --cluster.
    """
    options = _cluster_options(engine, cluster)
    if options is not None and options.named:
        return _of_cluster(options, devices, workers_per_device, fake_gpus, run_dir, files)
    if options is not None:
        from workers.dask.engine import own_executor

        chosen = _devices_of_this_machine(devices, workers_per_device, fake_gpus)
        return Workforce(chosen, own_executor(files), locks=DeviceLocks(chosen))
    return _of_this_machine(zygote, devices, workers_per_device, fake_gpus)


def known_devices(
    engine: str,
    cluster: tuple[str | None, Path | None, str | None],
    devices: str,
    workers_per_device: int,
    fake_gpus: int | None,
) -> list[Device] | None:
    """Return the devices that the options of `run` choose, without connecting to a cluster; None: it has them.

    Locks no GPU. Raises UserError.
    """
    options = _cluster_options(engine, cluster)
    if options is None or not options.named:
        return _devices_of_this_machine(devices, workers_per_device, fake_gpus)
    _check_devices_of_cluster(devices, workers_per_device, fake_gpus)
    return None


def _cluster_options(engine: str, cluster: tuple[str | None, Path | None, str | None]) -> ClusterOptions | None:
    """Return the options of the Dask engine; None: it is not wanted. Raises UserError."""
    if engine == LOCAL:
        names = ("--scheduler", "--scheduler-file", "--cluster")
        if given := [name for name, value in zip(names, cluster, strict=True) if value is not None]:
            raise UserError(f"{given[0]} names a Dask cluster: add --engine dask")
        return None
    try:
        from workers.dask.engine import ClusterOptions
    except ImportError as error:
        raise UserError(f"--engine dask: {error}; pip install 'virnucpro-bus[dask]' installs Dask") from None
    options = ClusterOptions(*cluster)
    if len(options.named) > 1:
        raise UserError(f"{' and '.join(options.named)} name a cluster each: give one of them")
    return options


def _of_cluster(
    options: ClusterOptions,
    devices: str,
    workers_per_device: int,
    fake_gpus: int | None,
    run_dir: Path,
    files: Sequence[InputFile],
) -> Workforce:
    """Return the workforce that the workers of a cluster are."""
    from workers.dask.engine import Staff

    _check_devices_of_cluster(devices, workers_per_device, fake_gpus)
    staff = Staff(options, run_dir, files)
    for line in staff.unfit:
        say(line)
    return Workforce(staff.devices, staff.make_executor, is_here=staff.is_here, close=staff.close)


def _check_devices_of_cluster(devices: str, workers_per_device: int, fake_gpus: int | None) -> None:
    if devices != "auto" or workers_per_device != 1 or fake_gpus is not None:
        raise UserError(
            "--devices, --workers-per-device and --fake-gpus are about this machine, but the workers of a cluster "
            "have their devices; leave them out"
        )


def _of_this_machine(zygote: Zygote, devices: str, workers_per_device: int, fake_gpus: int | None) -> Workforce:
    """Return the workforce of processes of this machine."""
    chosen = _devices_of_this_machine(devices, workers_per_device, fake_gpus)

    def make_executor(workplace: Workplace) -> Executor:
        from workers.pool.pool import WorkerPool  # not before: what is wrong with the options is told at once

        return WorkerPool(workplace, zygote)

    return Workforce(chosen, make_executor, locks=DeviceLocks(chosen))


def _devices_of_this_machine(devices: str, workers_per_device: int, fake_gpus: int | None) -> list[Device]:
    if fake_gpus is not None:
        chosen = simulated_gpus(fake_gpus)
        say("the GPUs are simulated: the figures shown for them are invented")
    else:
        chosen = find_devices(devices, os.environ)
        if devices == "auto" and not any(has_gpu(device.key) for device in chosen):
            say(f"no GPU is used, but {len(chosen)} CPU cores; virnucpro-bus doctor shows why")
    return place_workers(chosen, workers_per_device)
