"""The other processes of a benchmark, `peers.py ROLE ARGUMENTS...`; each prints one line when it is ready."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep

import msgspec
import zmq

sys.path.insert(0, str(Path(__file__).parent))

from workload import resident_bytes

from virnucpro_bus.sockets import drain

CONTEXT = zmq.Context()
HOSTILE_BATCH = 2_000


def open_socket(kind: int, address: str, *, bind: bool = False) -> zmq.Socket[bytes]:
    """Open a socket without high-water marks, which would turn a speed test into a loss test."""
    opened = CONTEXT.socket(kind)
    opened.setsockopt(zmq.SNDHWM, 0)
    opened.setsockopt(zmq.RCVHWM, 0)
    (opened.bind if bind else opened.connect)(address)
    return opened


def sink(address: str) -> None:
    """Receive and discard."""
    source = open_socket(zmq.SUB, address, bind=True)
    source.subscribe(b"")
    print("ready", flush=True)
    while True:
        source.recv()


def flood(address: str, files: str, hostile_every: str, planned: str = "") -> None:
    """After a line on stdin: wait for a subscriber, then send the stream at full speed."""
    from workload import event_stream, planned_stream

    frames = list(planned_stream(int(files)) if planned else event_stream(int(files)))
    if int(hostile_every):
        for at in range(0, len(frames), int(hostile_every)):
            frames.insert(at, b"\x9a\xaffile.completed/\x01 not an event of ours")
    target = open_socket(zmq.XPUB, address)
    print(len(frames), flush=True)
    sys.stdin.readline()
    target.recv()
    send = target.send
    for frame in frames:
        send(frame)
    sys.stdin.readline()  # what is in the queue would be lost at exit


def count(address: str, expected: str, welcome: str) -> None:
    """Receive until nothing arrives for two seconds; print how many, how many were hostile, and the seconds."""
    source = open_socket(zmq.SUB, address)
    source.subscribe(b"")
    if welcome == "True":
        source.recv()
    print("ready", flush=True)
    first = last = 0.0
    received = hostile = 0
    while received < int(expected) and source.poll(2_000 if received else 60_000):
        first = first or perf_counter()
        frames = drain(source, 10_000)
        last = perf_counter()
        received += len(frames)
        hostile += sum(b" not an event" in frame for frame in frames)
    print(received, hostile, last - first, flush=True)


def proxy(publish: str, subscribe: str) -> None:
    """Run ZeroMQ's own forwarder, for comparison."""
    front, back = open_socket(zmq.XSUB, publish, bind=True), open_socket(zmq.XPUB, subscribe, bind=True)
    print("ready", flush=True)
    zmq.proxy(front, back)


def hub(run_dir: str) -> None:
    """Run our hub: check, journal, forward."""
    from virnucpro_bus.clock import SystemClock
    from virnucpro_bus.hub.bus_server import BusServer

    with BusServer(Path(run_dir), SystemClock()) as server:
        addresses = server.hub.addresses
        print(addresses.publish, addresses.subscribe, flush=True)
        poller = zmq.Poller()
        for source in server.hub.sockets():
            poller.register(source, zmq.POLLIN)
        while True:
            server.hub.poll(dict(poller.poll(1000)))


def pace(address: str, events: str) -> None:
    """After a line on stdin: publish so many events, one per millisecond."""
    from virnucpro_bus.events.vocabulary import Device
    from virnucpro_bus.publish.publisher import Publisher

    with Publisher(address, device=Device("cpu:0"), source="bench") as bus:
        print("ready", flush=True)
        sys.stdin.readline()
        due = perf_counter()
        for _ in range(int(events)):
            due += 0.001
            sleep(max(0.0, due - perf_counter()))
            bus.file_completed("sample_17.fa", sequences=250, duration_seconds=3.2)


def stream(address: str, files: str) -> None:
    """Generate and send the planned stream as fast as the receiver takes it, without a queue in this process."""
    from workload import planned_stream

    target = CONTEXT.socket(zmq.XPUB)
    target.setsockopt(zmq.XPUB_NODROP, 1)
    target.setsockopt(zmq.SNDHWM, 10_000)
    target.connect(address)
    target.recv()
    for frame in planned_stream(int(files)):
        target.send(frame)
    target.close(linger=-1)
    # Python does not wait for a context at exit: what has not been sent by then would be lost.
    CONTEXT.term()


def view(run_dir: str, *marks: str) -> None:
    """Watch a bus as a monitor does; print a line when each mark is reached and no event is missing."""
    from virnucpro_bus.clock import SystemClock
    from virnucpro_bus.fold.fleet import FleetState
    from virnucpro_bus.sources.live import follow_live, join

    clock = SystemClock()
    source, fleet = join(run_dir, clock), FleetState(clock)
    print("ready", flush=True)
    remaining = [int(mark) for mark in marks]
    for _ in follow_live(source, fleet, clock, lambda: not remaining):
        totals = fleet.get_totals()
        if totals["events_received"] >= remaining[0] and not totals["events_lost"]:
            print(remaining.pop(0), flush=True)
    sys.stdin.readline()


def suffer(frames: str, seed: str, warm_up: str) -> None:
    """Process so many hostile frames as hub and monitor do; print a report as one line of JSON."""
    from virnucpro_bus.clock import SystemClock
    from virnucpro_bus.events.dedup import Deduplicator
    from virnucpro_bus.fold.fleet import FleetState

    clock = SystemClock()
    deduplicator, fleet = Deduplicator(), FleetState(clock)
    made = warm_bytes = 0
    for batch in hostile_batches(int(frames), int(seed)):
        deduplicator.filter(batch)
        fleet.feed(batch, clock.mono_ns())
        made += len(batch)
        if not warm_bytes and made >= int(warm_up):
            warm_bytes = resident_bytes(os.getpid())
    assert deduplicator.refused == fleet.refused, "hub and monitor do not agree"
    assert fleet.get_totals()["events_received"] == deduplicator.accepted
    grown_bytes = resident_bytes(os.getpid()) - warm_bytes
    report = {"refused": deduplicator.refused, "accepted": deduplicator.accepted, "grown_bytes": grown_bytes}
    print(json.dumps(report), flush=True)


def harm(address: str, frames: str, seed: str) -> None:
    """Send so many hostile frames, as fast as the receiver takes them."""
    target = CONTEXT.socket(zmq.XPUB)
    target.setsockopt(zmq.XPUB_NODROP, 1)
    target.connect(address)
    target.recv()
    for batch in hostile_batches(int(frames), int(seed)):
        for frame in batch:
            target.send(frame)
    target.close(linger=-1)
    CONTEXT.term()


def hostile_batches(frames: int, seed: int) -> Iterator[list[bytes]]:
    """Yield frames of the tests' generator, 2,000 at a time."""
    from tests.support.hostile import golden_frames, hostile_frame

    good, dice = golden_frames(), random.Random(seed)
    for first in range(0, frames, HOSTILE_BATCH):
        yield [hostile_frame(good, dice) for _ in range(min(HOSTILE_BATCH, frames - first))]


def workers(address: str, token: str, first: str, number_of_workers: str) -> None:
    """Act as idle workers of a pool: each reports its files as done at once and requests more."""
    from virnucpro_bus import events as ev
    from virnucpro_bus.clock import SystemClock
    from virnucpro_bus.events.codec import encode
    from virnucpro_bus.events.envelope import Sequencer
    from workers.protocol import Request, Settled, decode_answer

    pack = msgspec.msgpack.encode
    clock = SystemClock()
    slots = range(int(first), int(first) + int(number_of_workers))
    poller = zmq.Poller()
    peers: dict[zmq.Socket[bytes], tuple[int, int, Sequencer]] = {}
    for slot in slots:
        peer = open_socket(zmq.DEALER, address)
        peers[peer] = slot, 1, Sequencer(clock, source=f"worker-{slot}", epoch=1)
        poller.register(peer, zmq.POLLIN)
    print("ready", flush=True)
    sys.stdin.readline()
    for peer, (slot, number, _) in peers.items():
        peer.send(pack(Request(token, slot, 1, number)))
    while peers:
        for peer, _ in poller.poll(5_000):
            answer = decode_answer(peer.recv())
            slot, number, sequencer = peers[peer]
            if answer.tasks is None:
                del peers[peer]
                continue
            peers[peer] = slot, number + 1, sequencer
            done = [ev.FileCompleted(f"cpu:{slot}", task.file, task.attempt, 250, 0.001) for task in answer.tasks]
            settled = tuple(Settled(encode(sequencer.next_envelope(event))) for event in done)
            peer.send(pack(Request(token, slot, 1, number + 1, settled)))
    print("done", flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
