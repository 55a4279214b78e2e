"""What is let in of that which arrives on the topic of a run, and with which times."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.envelope import make_envelope
from workers.dask.arrivals import Arrivals, Moment
from workers.dask.machine_clock import MachineClock

RUN, HOST = "run-1", "login"
NOW = Moment(1_700_000_000 * NANOSECONDS, 5_000 * NANOSECONDS)
ALIEN_NS = 77 * NANOSECONDS
"""What the clock of the other machine shows at NOW."""


def framed(event: ev.Fact, **header: Any) -> bytes:
    usual: dict[str, Any] = {"run": RUN, "host": HOST, "source": "worker-0", "epoch": 3, "seq": 1}
    return encode(make_envelope(event, **(usual | {"wall_ns": 5, "mono_ns": ALIEN_NS} | header)))


def started(seq: int = 1, device: str = "cpu:0", **header: Any) -> bytes:
    return framed(ev.FileStarted(device, "a.fa", 1), seq=seq, **header)


@pytest.fixture
def refused() -> Counter[str]:
    return Counter()


@pytest.fixture
def here(refused: Counter[str]) -> Arrivals:
    """One worker on this machine, at cpu:0 in its third epoch."""
    arrivals = Arrivals(RUN, HOST, refused)
    arrivals.open("worker-0", 3, "cpu:0", None)
    return arrivals


def test_what_a_worker_of_this_machine_publishes_passes_as_it_is(here: Arrivals, refused: Counter[str]) -> None:
    frame = started()
    assert here.take(frame, NOW) is frame
    assert refused == {}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\xff noise", "not-messagepack"),
        (started(run="run-2"), "unknown-stream"),
        (started(host="elsewhere"), "unknown-stream"),
        (started(epoch=4), "unknown-stream"),
        (started(source="worker-1"), "unknown-stream"),
        (framed(ev.FileCommitted("cpu:0", "a.fa", 1, 1, 1), source="coordinator"), "unknown-stream"),
        (framed(ev.FileCommitted("cpu:0", "a.fa", 1, 1, 1)), "reserved"),
        (framed(ev.WorkerLost("cpu:0", "worker-0", 3, "gone")), "reserved"),
        (framed(ev.GpuSampled(ev.Device("GPU-a"))), "reserved"),
        (started(device="cpu:1"), "reserved"),
        (framed(ev.WorkStolen("cpu:1", "cpu:0", "a.fa", 1, 1)), "reserved"),
        (framed(ev.WorkerStarted(ev.Device("cpu:1"), 1)), "reserved"),
    ],
    ids=str,
)
def test_what_no_worker_of_the_run_publishes_about_its_device_is_refused_and_counted(
    here: Arrivals, refused: Counter[str], frame: bytes, reason: str
) -> None:
    assert here.take(frame, NOW) is None
    assert refused == {reason: 1}


def test_a_file_counts_as_started_by_the_worker_that_says_so(here: Arrivals) -> None:
    assert not here.has_started("worker-0", 3, "a.fa", 1)
    here.take(started(), NOW)
    assert here.has_started("worker-0", 3, "a.fa", 1)
    assert not here.has_started("worker-0", 3, "a.fa", 2)
    assert not here.has_started("worker-0", 4, "a.fa", 1)


def test_the_times_of_another_machine_become_those_of_the_launchers_clock(refused: Counter[str]) -> None:
    arrivals = Arrivals(RUN, HOST, refused)
    arrivals.open("worker-0", 3, "cpu:0", MachineClock())
    arrivals.take(started(1), NOW)
    later = Moment(NOW.wall_ns + 9 * NANOSECONDS, NOW.mono_ns + 9 * NANOSECONDS)
    moved = decode(arrivals.take(started(2, mono_ns=ALIEN_NS + 4 * NANOSECONDS), later) or b"")
    assert moved.mono_ns == NOW.mono_ns + 4 * NANOSECONDS
    assert moved.wall_ns == NOW.wall_ns + 4 * NANOSECONDS
    assert (moved.seq, moved.event) == (2, ev.FileStarted("cpu:0", "a.fa", 1))


def test_a_start_that_arrives_after_its_end_keeps_its_own_time(refused: Counter[str]) -> None:
    arrivals = Arrivals(RUN, HOST, refused)
    arrivals.open("worker-0", 3, "cpu:0", MachineClock())
    end = arrivals.take(started(2, mono_ns=ALIEN_NS), NOW)
    later = Moment(NOW.wall_ns + NANOSECONDS, NOW.mono_ns + NANOSECONDS)
    start = arrivals.take(started(1, mono_ns=ALIEN_NS - 7_000), later)
    assert decode(end or b"").mono_ns - decode(start or b"").mono_ns == 7_000


@given(st.permutations(range(1, 9)), st.lists(st.integers(0, 10**9), min_size=8, max_size=8))
def test_an_event_is_never_placed_on_the_wrong_side_of_the_newest_of_its_stream(
    order: list[int], delays: list[int]
) -> None:
    arrivals = Arrivals(RUN, HOST, Counter())
    arrivals.open("worker-0", 3, "cpu:0", MachineClock())
    times: dict[int, int] = {}
    received_ns = NOW.mono_ns
    for seq, delay_ns in zip(order, delays, strict=True):
        received_ns += delay_ns
        newest = max(times, default=0)
        frame = arrivals.take(started(seq, mono_ns=ALIEN_NS + seq * 1000), Moment(NOW.wall_ns, received_ns))
        times[seq] = decode(frame or b"").mono_ns
        assert times[seq] <= received_ns
        if newest:
            assert times[newest] <= times[seq] if seq > newest else times[seq] <= times[newest]


def test_the_gpus_of_another_machine_are_labelled_by_its_name(refused: Counter[str]) -> None:
    arrivals = Arrivals(RUN, HOST, refused)
    arrivals.open("sampler-0", 3, None, MachineClock(), "node2")
    sample = framed(ev.GpuSampled(ev.Device("GPU-a", "H100", 0), 50.0), source="sampler-0")
    moved = decode(arrivals.take(sample, NOW) or b"")
    assert moved.event == ev.GpuSampled(ev.Device("GPU-a", "H100", 0, "node2/0"), 50.0)
    assert arrivals.take(started(source="sampler-0"), NOW) is None
    assert refused == {"reserved": 1}
