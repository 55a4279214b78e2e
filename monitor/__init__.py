"""GPU figures and everything that a person looks at."""

from monitor.dashboard import LoadBalancingDashboard
from monitor.gpu import GPUMonitor, get_gpu_utilization
from monitor.metrics_log import MetricsLog
from virnucpro_bus.fleet import FleetState

__all__ = ["FleetState", "GPUMonitor", "LoadBalancingDashboard", "MetricsLog", "get_gpu_utilization"]
