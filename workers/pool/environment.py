"""The environment of a worker process: the GPUs that it sees, and its share of the CPU cores."""

from __future__ import annotations

from collections.abc import Mapping

from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import has_gpu

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""How many threads a library starts; without them, each worker would start one for each core of the machine."""


def worker_environment(environment: Mapping[str, str], device_key: str, threads: int) -> dict[str, str]:
    """Return the launcher's `environment` with what differs in a worker of the device.

    `threads` are those of each numerical library. A variable that the user has set keeps its value. If
    OMP_NUM_THREADS is set, no other is added: most libraries follow it where they have no variable of their own.
    """
    made = {
        **environment,
        "CUDA_VISIBLE_DEVICES": ",".join(gpus_of(device_key)) if has_gpu(device_key) else "",
        "PYTHONUNBUFFERED": "1",
    }
    if _THREAD_VARIABLES[0] not in environment:
        made |= {name: str(threads) for name in _THREAD_VARIABLES if name not in environment}
    return made
