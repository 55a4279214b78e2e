"""Events of GPU workers on a ZeroMQ bus: publish, serve, record, replay, fold."""

from typing import TYPE_CHECKING

from virnucpro_bus.lazily import lazily

if TYPE_CHECKING:
    from virnucpro_bus.capture import CaptureReader, CaptureWriter
    from virnucpro_bus.clock import Clock, ManualClock, SystemClock
    from virnucpro_bus.events import Device, Envelope
    from virnucpro_bus.fleet import FleetState
    from virnucpro_bus.hub import Hub
    from virnucpro_bus.metrics import (
        GpuMetrics,
        GpuUtilization,
        MetricsSource,
        StealEvent,
        Totals,
        UtilizationSource,
    )
    from virnucpro_bus.publisher import EventSink, Publisher
    from virnucpro_bus.replay import Replay, fold_capture
    from virnucpro_bus.subscriber import EventSource, Subscriber

__all__ = [
    "CaptureReader",
    "CaptureWriter",
    "Clock",
    "Device",
    "Envelope",
    "EventSink",
    "EventSource",
    "FleetState",
    "GpuMetrics",
    "GpuUtilization",
    "Hub",
    "ManualClock",
    "MetricsSource",
    "Publisher",
    "Replay",
    "StealEvent",
    "Subscriber",
    "SystemClock",
    "Totals",
    "UtilizationSource",
    "fold_capture",
]

__getattr__ = lazily(
    __name__,
    {
        "virnucpro_bus.capture": ["CaptureReader", "CaptureWriter"],
        "virnucpro_bus.clock": ["Clock", "ManualClock", "SystemClock"],
        "virnucpro_bus.events": ["Device", "Envelope"],
        "virnucpro_bus.fleet": ["FleetState"],
        "virnucpro_bus.hub": ["Hub"],
        "virnucpro_bus.metrics": [
            "GpuMetrics",
            "GpuUtilization",
            "MetricsSource",
            "StealEvent",
            "Totals",
            "UtilizationSource",
        ],
        "virnucpro_bus.publisher": ["EventSink", "Publisher"],
        "virnucpro_bus.replay": ["Replay", "fold_capture"],
        "virnucpro_bus.subscriber": ["EventSource", "Subscriber"],
    },
)
