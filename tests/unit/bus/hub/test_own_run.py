"""The run of workers that no launcher started: their plans begin it, the hub ends it, the next continues it."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.vocabulary import Device, Fact
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.hub.own_run import OwnRun
from virnucpro_bus.testing import Script

GPU = Device("GPU-a", "NVIDIA A100", 0)


class OwnBus:
    """What workers have published on a bus, and what its hub reports of it."""

    def __init__(self, script: Script | None = None, frames: list[bytes] | None = None) -> None:
        self.script = script or Script()
        self.clock = self.script.clock
        self.run = OwnRun(self.clock, "run-of-hub", "node")
        self.frames = frames or []
        """All that is on record."""

    def plan(self, device: str, *files: str, by: str = "w0", script: Script | None = None) -> None:
        planned = tuple(ev.PlannedFile(file, 10, 10) for file in files)
        self.say(by, ev.FilesAssigned(device, planned), script)

    def worker(self, device: Device, by: str = "w0") -> None:
        self.say(by, ev.WorkerStarted(device, 1))

    def say(self, source: str, event: Fact, script: Script | None = None) -> None:
        self.take(encode((script or self.script).say(source, event)))

    def take(self, frame: bytes) -> None:
        """Let the hub receive a frame."""
        self.frames.append(frame)
        self.run.observe([frame])

    def stated(self) -> list[Any]:
        """The envelopes of what is due now."""
        return self._recorded(self.run.statements())

    def finished(self) -> list[Any]:
        fleet = FleetState(self.clock)
        fleet.feed(self.frames)
        return self._recorded(self.run.finish(lambda: {host.host: host.totals() for host in fleet.hosts()}))

    def continued(self) -> tuple[OwnBus, list[Any]]:
        """The next hub in the folder, and what it reports at first."""
        following = OwnBus(self.script, self.frames)
        following.run.observe(self.frames)
        return following, following._recorded(following.run.resume())

    def _recorded(self, frames: list[bytes]) -> list[Any]:
        self.frames += frames
        return [decode(frame) for frame in frames]


def test_the_first_plan_announces_a_run_that_began_when_the_plan_was_made() -> None:
    bus = OwnBus()
    bus.worker(GPU)
    assert bus.stated() == []
    planned_ns = bus.clock.wall_ns(), bus.clock.mono_ns()
    bus.plan("GPU-a", "a.fa", "b.fa")
    bus.clock.advance(5)
    (announced,) = bus.stated()
    assert announced.event == ev.RunStarted("own workers", "own", (GPU,), 2)
    assert (announced.source, announced.host, announced.run) == ("coordinator", "node", "run-1")
    assert (announced.wall_ns, announced.mono_ns) == planned_ns
    assert bus.stated() == []


def test_a_run_that_grows_is_stated_again_at_most_once_a_second_and_counts_a_file_once() -> None:
    bus = OwnBus()
    bus.plan("GPU-a", "a.fa", "b.fa")
    (first,) = bus.stated()
    bus.plan("GPU-b", "b.fa", "c.fa", by="w1")
    bus.plan("GPU-b", "d.fa", by="w1")
    assert bus.stated() == []
    bus.clock.advance(1)
    (second,) = bus.stated()
    assert [device.key for device in second.event.devices] == ["GPU-a", "GPU-b"]
    assert second.event.files_total == 4
    assert (second.epoch, second.seq, second.mono_ns) == (first.epoch, 2, first.mono_ns)
    bus.plan("GPU-b", "d.fa", by="w1")
    bus.clock.advance(1)
    assert bus.stated() == []


def test_the_end_in_good_order_is_reported_with_what_was_counted_and_what_was_not_stated_yet() -> None:
    bus = OwnBus()
    bus.plan("GPU-a", "a.fa")
    bus.stated()
    bus.plan("GPU-a", "b.fa")
    bus.say("w0", ev.FileCompleted("GPU-a", "a.fa", 0, 5, 1.0))
    bus.say("w0", ev.FileFailed("GPU-a", "b.fa", 0, "no", 1.0))
    assert [each.event for each in bus.finished()] == [
        ev.RunStarted("own workers", "own", (Device("GPU-a"),), 2),
        ev.RunFinished(0, 1, 1),
    ]


def test_without_a_plan_the_end_is_reported_and_no_run() -> None:
    bus = OwnBus()
    bus.worker(GPU)
    (ended,) = bus.finished()
    assert (ended.event, ended.run, ended.host) == (ev.RunFinished(0, 0, 0), "run-of-hub", "node")


def test_each_host_with_a_plan_has_a_run_and_the_hubs_own_ends_last() -> None:
    bus = OwnBus()
    container = Script(host="container")
    container.clock = bus.clock
    bus.plan("GPU-a", "a.fa", script=container)
    assert [each.host for each in bus.stated()] == ["container"]
    assert [(each.host, type(each.event)) for each in bus.finished()] == [
        ("container", ev.RunFinished),
        ("node", ev.RunFinished),
    ]


def test_where_a_program_announces_a_run_itself_the_hub_reports_nothing() -> None:
    bus = OwnBus()
    bus.plan("GPU-a", "a.fa")
    bus.say("coordinator", ev.RunStarted("job", "cost", (GPU,), 1))
    assert bus.stated() == bus.finished() == []
    following, said = bus.continued()
    assert said == following.finished() == []


def test_the_next_hub_continues_the_run_from_its_beginning_in_a_later_epoch() -> None:
    bus = OwnBus()
    bus.plan("GPU-a", "a.fa")
    (first,) = bus.stated()
    bus.finished()
    bus.clock.advance(60)
    bus.clock.wall -= 3600 * 10**9
    following, (notice, again) = bus.continued()
    assert isinstance(notice.event, ev.Notice)
    assert again.event == first.event
    assert again.mono_ns == first.mono_ns
    assert notice.epoch == again.epoch > first.epoch
    following.clock.advance(1)
    following.plan("GPU-a", "b.fa")
    assert [each.event.files_total for each in following.stated()] == [2]


def test_a_run_does_not_continue_after_a_restart_of_the_machine() -> None:
    bus = OwnBus()
    bus.plan("GPU-a", "a.fa")
    bus.stated()
    bus.clock.advance(600)
    bus.clock.mono = 10**9
    following, (notice,) = bus.continued()
    assert isinstance(notice.event, ev.Notice)
    following.plan("GPU-a", "b.fa", by="w9")
    assert [each.event.files_total for each in following.stated()] == [1]


STEPS = st.tuples(st.sampled_from(["plan", "work", "arrive", "state", "end", "kill"]), st.integers(0, 2))


@given(st.lists(STEPS, max_size=40), st.randoms(use_true_random=False))
def test_whatever_hubs_and_workers_do_the_run_has_every_plan_in_whatever_order_its_events_come(
    steps: list[tuple[str, int]], order: random.Random
) -> None:
    bus, planned, done, sent = OwnBus(), set[str](), set[str](), [list[bytes]() for _ in range(3)]

    def arrive(worker: int) -> None:
        for frame in sent[worker]:
            bus.take(frame)
        sent[worker].clear()

    for number, (step, at) in enumerate([*steps, ("arrive", 0), ("arrive", 1), ("arrive", 2), ("state", 0)]):
        bus.clock.advance(1)
        device, source, file = f"cpu:{at}", f"w{at}", f"{number // 3}.fa"
        match step:
            case "plan":
                planned.add(file)
                plan = ev.FilesAssigned(device, (ev.PlannedFile(file, 10, 10),))
                sent[at].append(encode(bus.script.say(source, plan)))
            case "work":
                done.add(file)
                sent[at].append(encode(bus.script.say(source, ev.FileCompleted(device, file, 0, 5, 0.5))))
            case "arrive":
                arrive(at)
            case "state":
                bus.stated()
            case "end" | "kill":
                if step == "end":
                    bus.finished()
                bus, _ = bus.continued()
    fleets = []
    for frames in (bus.frames, order.sample(bus.frames, len(bus.frames))):
        fleet = FleetState(bus.clock)
        fleet.feed(frames)
        fleets.append(fleet)
    assert fleets[0].report() == fleets[1].report()
    # What is done without a plan is part of the total, where anything was planned.
    assert fleets[0].get_totals()["files_total"] == (len(planned | done) if planned else None)
    for host in fleets[0].hosts():
        known = {
            file
            for _, files, _ in host.work(bus.clock.mono_ns()).log.parts(host.started_ns or 0)
            for file in files
        }
        assert known == planned
    assert not fleets[0].finished
