"""Events of GPU workers on a ZeroMQ bus: publish, serve, record, replay, fold."""

from virnucpro_bus.capture import CaptureReader, CaptureWriter
from virnucpro_bus.clock import Clock, ManualClock, SystemClock
from virnucpro_bus.events import Device, Envelope
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.hub import Hub
from virnucpro_bus.metrics import GpuMetrics, GpuUtilization, MetricsSource, StealEvent, Totals, UtilizationSource
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
