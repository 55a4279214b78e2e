"""One worker of each host samples its GPUs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from monitor.gpu.this_machine import sample_this_machine
from tests.support.lab import wait_until
from virnucpro_bus.clock import Clock, ManualClock
from virnucpro_bus.dask import host_sampler
from virnucpro_bus.dask.host_sampler import HostSampler, find_sampling
from virnucpro_bus.publish.publisher import Publisher


class Samplers:
    """Workers of one run on this host, and the names of those that have begun to sample."""

    def __init__(self) -> None:
        self.run = uuid4().hex
        self.sampling: list[str] = []

    def start(self, name: str) -> HostSampler:
        def sample(connect: Callable[[], Publisher], clock: Clock, stop: threading.Event) -> None:
            self.sampling.append(name)
            stop.wait()

        unused = cast(Any, None)
        return HostSampler(self.run, unused, ManualClock(), find=lambda: sample)


def test_one_worker_of_a_run_samples_and_another_one_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_sampler, "RETRY_SECONDS", 0.01)
    samplers, others = Samplers(), Samplers()
    first = samplers.start("first")
    wait_until(lambda: samplers.sampling, "the first samples")
    second, other = samplers.start("second"), others.start("of another run")
    wait_until(lambda: others.sampling, "the worker of another run samples")
    assert samplers.sampling == ["first"]
    first.stop()
    wait_until(lambda: len(samplers.sampling) == 2, "the second samples")
    second.stop()
    other.stop()
    assert samplers.sampling == ["first", "second"]


def test_what_samples_the_gpus_is_found_without_importing_the_monitor() -> None:
    assert find_sampling() is sample_this_machine
