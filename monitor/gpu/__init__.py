"""GPU readings: what the driver reports, through NVML or nvidia-smi, or simulated.

`monitor.py` (`GPUMonitor`) samples in a thread that may hang with the driver without blocking a caller;
`backends.py` chooses the best backend that works; `sampler.py` publishes samples on the bus; `hardware.py` says
whether there is a GPU at all. Imports nothing else of this package. Start with `monitor.py`.
"""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily

if TYPE_CHECKING:
    from monitor.gpu.monitor import GPUMonitor, get_gpu_utilization

__all__ = ["GPUMonitor", "get_gpu_utilization"]

__getattr__ = lazily(__name__, {"monitor.gpu.monitor": ["GPUMonitor", "get_gpu_utilization"]})
