"""GPU sampling, and everything that shows a run: dashboard, plain lines, JSON, metrics log."""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily

if TYPE_CHECKING:
    from monitor.dashboard import LoadBalancingDashboard
    from monitor.gpu.monitor import GPUMonitor, get_gpu_utilization
    from monitor.log.metrics_log import MetricsLog
    from virnucpro_bus.fold.fleet import FleetState

__all__ = ["FleetState", "GPUMonitor", "LoadBalancingDashboard", "MetricsLog", "get_gpu_utilization"]

__getattr__ = lazily(
    __name__,
    {
        "monitor.dashboard": ["LoadBalancingDashboard"],
        "monitor.gpu.monitor": ["GPUMonitor", "get_gpu_utilization"],
        "monitor.log.metrics_log": ["MetricsLog"],
        "virnucpro_bus.fold.fleet": ["FleetState"],
    },
)
