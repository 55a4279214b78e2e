"""Events of GPU workers on a ZeroMQ bus: publish, serve, record, replay and fold them.

The names below are public, those of `workers` and `monitor` among them; each is imported on first use.
"""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily

if TYPE_CHECKING:
    from monitor.dashboard import LoadBalancingDashboard
    from monitor.gpu.monitor import GPUMonitor, get_gpu_utilization
    from monitor.log.metrics_log import MetricsLog
    from virnucpro_bus.capture.reader import CaptureReader
    from virnucpro_bus.capture.writer import CaptureWriter
    from virnucpro_bus.clock import Clock, ManualClock, SystemClock
    from virnucpro_bus.errors import DoNotRetry, EveryFileError, InputError, UserError
    from virnucpro_bus.events.envelope import Envelope
    from virnucpro_bus.events.vocabulary import Device
    from virnucpro_bus.fold.fleet import FleetState
    from virnucpro_bus.hub.hub import Hub
    from virnucpro_bus.metrics import (
        GpuMetrics,
        GpuUtilization,
        MetricsSource,
        StealEvent,
        Totals,
        UtilizationSource,
    )
    from virnucpro_bus.publish.event_sink import EventSink
    from virnucpro_bus.publish.publisher import Publisher
    from virnucpro_bus.sources.playback import fold_capture
    from virnucpro_bus.sources.protocol import EventSource
    from virnucpro_bus.sources.replay import Replay
    from virnucpro_bus.sources.subscriber import Subscriber
    from workers.coordinator.assignment import Assignment
    from workers.coordinator.coordinator import WorkStealingCoordinator
    from workers.inputs.find import find_inputs
    from workers.inputs.input_file import InputFile
    from workers.jobs.interface import JobContext
    from workers.jobs.named_job import JobOption, NamedJob, Options

__all__ = [
    "Assignment",
    "CaptureReader",
    "CaptureWriter",
    "Clock",
    "Device",
    "DoNotRetry",
    "Envelope",
    "EventSink",
    "EventSource",
    "EveryFileError",
    "FleetState",
    "GPUMonitor",
    "GpuMetrics",
    "GpuUtilization",
    "Hub",
    "InputError",
    "InputFile",
    "JobContext",
    "JobOption",
    "LoadBalancingDashboard",
    "ManualClock",
    "MetricsLog",
    "MetricsSource",
    "NamedJob",
    "Options",
    "Publisher",
    "Replay",
    "StealEvent",
    "Subscriber",
    "SystemClock",
    "Totals",
    "UserError",
    "UtilizationSource",
    "WorkStealingCoordinator",
    "find_inputs",
    "fold_capture",
    "get_gpu_utilization",
]

__getattr__ = lazily(
    __name__,
    {
        "monitor.dashboard": ["LoadBalancingDashboard"],
        "monitor.gpu.monitor": ["GPUMonitor", "get_gpu_utilization"],
        "monitor.log.metrics_log": ["MetricsLog"],
        "virnucpro_bus.capture.reader": ["CaptureReader"],
        "virnucpro_bus.capture.writer": ["CaptureWriter"],
        "virnucpro_bus.clock": ["Clock", "ManualClock", "SystemClock"],
        "virnucpro_bus.errors": ["DoNotRetry", "EveryFileError", "InputError", "UserError"],
        "virnucpro_bus.events.envelope": ["Envelope"],
        "virnucpro_bus.events.vocabulary": ["Device"],
        "virnucpro_bus.fold.fleet": ["FleetState"],
        "virnucpro_bus.hub.hub": ["Hub"],
        "virnucpro_bus.metrics": [
            "GpuMetrics",
            "GpuUtilization",
            "MetricsSource",
            "StealEvent",
            "Totals",
            "UtilizationSource",
        ],
        "virnucpro_bus.publish.event_sink": ["EventSink"],
        "virnucpro_bus.publish.publisher": ["Publisher"],
        "virnucpro_bus.sources.playback": ["fold_capture"],
        "virnucpro_bus.sources.protocol": ["EventSource"],
        "virnucpro_bus.sources.replay": ["Replay"],
        "virnucpro_bus.sources.subscriber": ["Subscriber"],
        "workers.coordinator.assignment": ["Assignment"],
        "workers.coordinator.coordinator": ["WorkStealingCoordinator"],
        "workers.inputs.find": ["find_inputs"],
        "workers.inputs.input_file": ["InputFile"],
        "workers.jobs.interface": ["JobContext"],
        "workers.jobs.named_job": ["JobOption", "NamedJob", "Options"],
    },
)
