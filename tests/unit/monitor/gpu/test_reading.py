"""One reading of one GPU: what it may hold, and that the bus accepts it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.gpu.reading import GpuReading
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.envelope import make_envelope
from virnucpro_bus.events.vocabulary import Device, GpuSampled


@pytest.mark.parametrize(("used", "total"), [(None, 4), (4, None), (0, 0), (5, 4)])
def test_memory_percent_is_unknown_when_it_cannot_be_computed(used: int | None, total: int | None) -> None:
    reading = GpuReading(Device("GPU-a"), memory_used_bytes=used, memory_total_bytes=total)
    assert reading.memory_percent is None


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan, math.inf, 2**64])
def test_an_impossible_percentage_is_unknown(percent: float) -> None:
    assert GpuReading(Device("GPU-a"), compute_percent=percent).compute_percent is None


def test_a_sentinel_for_a_temperature_is_unknown() -> None:
    assert GpuReading(Device("GPU-a"), temperature_celsius=9223372036854775794).temperature_celsius is None


numbers = st.none() | st.floats() | st.integers()


@given(compute=numbers, used=numbers, total=numbers, temperature=numbers, power=numbers, energy=numbers)
def test_every_reading_makes_an_event_that_is_accepted(
    compute: Any, used: Any, total: Any, temperature: Any, power: Any, energy: Any
) -> None:
    reading = GpuReading(Device("GPU-a"), compute, used, total, temperature, power, energy_millijoules=energy)
    event = GpuSampled(
        reading.device,
        reading.compute_percent,
        reading.memory_percent,
        reading.memory_used_bytes,
        reading.memory_total_bytes,
        reading.temperature_celsius,
        reading.power_watts,
        energy_millijoules=reading.energy_millijoules,
    )
    envelope = make_envelope(event, run="", host="h", source="s", epoch=1, seq=1, wall_ns=1, mono_ns=1)
    assert decode(encode(envelope)) == envelope
