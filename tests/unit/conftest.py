"""Fixtures that several of the unit tests share."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.gpu_bench import GPU_A, GPU_B, MIG, Bench
from tests.support.relays import new_keys
from virnucpro_bus.remote import follower as follower_module
from virnucpro_bus.remote.feeds import PlayedCapture
from virnucpro_bus.remote.keys import Identity


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A GPU monitor over two GPUs and a MIG instance, with a clock and a driver that tests move."""
    bench = Bench(GPU_A, GPU_B, MIG)
    yield bench
    bench.backend.open_gate.set()
    bench.monitor.close()


@pytest.fixture
def played() -> Iterator[PlayedCapture]:
    made = PlayedCapture()
    yield made
    made.close()


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Identity:
    """The keys that a follower of this test comes with."""
    keys = new_keys()
    monkeypatch.setattr(follower_module, "load_identity", lambda: keys)
    return keys


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are the viewer's: make that UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
