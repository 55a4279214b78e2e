"""A cluster of our own: a scheduler in the launcher, and on this machine one worker process for each device."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dask.config
from distributed import Nanny, Scheduler, Security, SpecCluster

from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.cores import usable_cores
from workers.dask.member.own_worker import LOG_VARIABLE
from workers.pool.environment import worker_environment

HOST = "127.0.0.1"
_ANY_PORT = f"{HOST}:0"
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
"""Dask has an HTTP server in each process, open to all users of the machine: ours serve nothing."""
_LOG_LEVEL_VARIABLE = "DASK_LOGGING__DISTRIBUTED"


def start_own_cluster(
    devices: Sequence[Device], log_path: Callable[[str], Path], warn: Callable[[str], object]
) -> Any:
    """Start a cluster of which worker number N, which is also its name, works on device number N.

    `log_path` returns the log of the worker of that name; `warn` is called with each line for the user. Dask
    restarts a worker that dies. Raises OSError.
    """
    security = _security()
    if security is None:
        warn(
            "other users of this machine can reach the run's Dask cluster; to prevent it: pip install cryptography"
        )
    options = {"host": HOST, "dashboard": False, "dashboard_address": _ANY_PORT, "security": security}
    options["protocol"] = "tcp://" if security is None else "tls://"
    threads = max(1, usable_cores(os.environ).number // len(devices))
    workers = {
        number: {
            "cls": Nanny,
            "options": options | _worker_options(device, threads, log_path(f"worker-{number}")),
        }
        for number, device in enumerate(devices)
    }
    # Dask's own choice here is one thread in each numerical library; ours is in the workers' environment. What
    # workers log before they have their log file would be on the screen.
    environment = {_LOG_LEVEL_VARIABLE: os.environ.get(_LOG_LEVEL_VARIABLE, "warning")}
    with dask.config.set({"distributed.nanny.pre-spawn-environ": environment, **_NO_PAGES}):
        scheduler = {"cls": Scheduler, "options": options}
        return SpecCluster(scheduler=scheduler, workers=workers, security=security)


def _security() -> Security | None:
    """Return keys that only this run has; None where there is no library to make them."""
    try:
        return Security.temporary()
    except ImportError:
        return None


def _worker_options(device: Device, threads: int, log: Path) -> dict[str, Any]:
    return {
        "nthreads": 1,
        # A job may use the memory that there is, as in a worker of any other run.
        "memory_limit": 0,
        "env": worker_environment(os.environ, device.key, threads) | {LOG_VARIABLE: os.fspath(log.absolute())},
        "preload": ["workers.dask.member.own_worker"],
        "config": _NO_PAGES,
    }
