"""GPU readings: what the driver says, from NVML or nvidia-smi, or simulated.

`monitor.py` (`GPUMonitor`) samples in a thread that a hung driver cannot stop; `backends.py` picks the best
source there is; `sampler.py` puts samples on the bus. Imports nothing else of this package. Start with
`monitor.py`.
"""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily

if TYPE_CHECKING:
    from monitor.gpu.monitor import GPUMonitor, get_gpu_utilization

__all__ = ["GPUMonitor", "get_gpu_utilization"]

__getattr__ = lazily(__name__, {"monitor.gpu.monitor": ["GPUMonitor", "get_gpu_utilization"]})
