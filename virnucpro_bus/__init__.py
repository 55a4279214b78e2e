"""Events of GPU workers on a ZeroMQ bus: publish, serve, record, replay and fold them.

The names below are public; each is imported on first use.
"""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily

if TYPE_CHECKING:
    from virnucpro_bus.capture.reader import CaptureReader
    from virnucpro_bus.capture.writer import CaptureWriter
    from virnucpro_bus.clock import Clock, ManualClock, SystemClock
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
        "virnucpro_bus.capture.reader": ["CaptureReader"],
        "virnucpro_bus.capture.writer": ["CaptureWriter"],
        "virnucpro_bus.clock": ["Clock", "ManualClock", "SystemClock"],
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
    },
)
