"""Which device each worker gets on a bus without a launcher, where several say the same one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.buses import hub_in
from tests.support.captures import read_all
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, Foreign, decode, encode
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, HUB_SOURCE, Sequencer
from virnucpro_bus.events.run_events import PlannedFile
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, Device, Fact
from virnucpro_bus.hub.worker_names import CHECK_EVERY_NS, LONGEST_BASE, SILENT_NS, WorkerNames

HOST = "node"
CPU = Device("cpu:0", index=0)
BEAT = ev.Heartbeat(CPU.key, "idle", 0, 0, 0, 0, 0)
STOP = ev.WorkerStopped(CPU.key, "finished")


class Bus:
    """What a hub does with the events of workers, and which processes of its machine run."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.running: set[int] = set()
        self.names = WorkerNames(self.clock, HOST, self.running.__contains__)
        self.frames: list[bytes] = []
        self._deduplicator = Deduplicator()

    def take(self, frame: bytes) -> ev.Envelope:
        """The event as it is recorded, and as the hub folds it."""
        self.clock.advance(2 * CHECK_EVERY_NS / 1e9)
        decoded: list[ev.Envelope | Foreign] = []
        (recorded,) = self._deduplicator.filter([frame], watcher=self.names, decoded=decoded)
        self.frames.append(recorded)
        (found,) = decoded
        assert isinstance(found, ev.Envelope)
        assert found == decode(recorded)
        return found

    def start(self, pid: int, device: Device = CPU, host: str = HOST) -> Worker:
        """A process starts, and says what its device is."""
        if host == HOST:
            self.running.add(pid)
        worker = Worker(self, pid, host)
        worker.name = worker.says(ev.WorkerStarted(device, pid))
        return worker

    def start_all(self, *pids: int) -> list[str]:
        return [self.start(pid).name for pid in pids]


class Worker:
    """A publisher of one process; `says` returns the device that is recorded."""

    def __init__(self, bus: Bus, pid: int, host: str = HOST) -> None:
        self._bus, self.pid, self.name = bus, pid, ""
        self.epoch = len(bus.frames) + 1
        self._sequencer = Sequencer(bus.clock, source=f"pid-{pid}", epoch=self.epoch, host=host)

    def frame(self, event: Fact) -> bytes:
        return encode(self._sequencer.next_envelope(event))

    def says(self, event: Fact) -> str:
        recorded = self._bus.take(self.frame(event)).event
        device = recorded.thief if isinstance(recorded, ev.WorkStolen) else recorded.device
        return str(device.key if isinstance(device, Device) else device)


@pytest.fixture
def bus() -> Bus:
    return Bus()


def test_processes_that_call_their_device_the_same_are_numbered_from_two(bus: Bus) -> None:
    assert bus.start_all(1, 2, 3) == ["cpu:0", "cpu:0#2", "cpu:0#3"]


def test_every_event_of_a_renamed_worker_has_its_new_device_and_others_are_left_alone(bus: Bus) -> None:
    bus.start(1)
    second = bus.start(2)
    own = [
        BEAT,
        ev.FileStarted(CPU.key, "a.fa"),
        ev.FileProgress(CPU.key, "a.fa", 0, 1),
        ev.FileCompleted(CPU.key, "a.fa", 0, 1, 1.0),
        ev.FileFailed(CPU.key, "a.fa", 0, "no", 1.0),
        ev.FilesAssigned(CPU.key, (PlannedFile("a.fa", 1, 1),)),
        ev.WorkStolen(CPU.key, CPU.key, "a.fa", 0, 1),
        STOP,
    ]
    assert {second.says(event) for event in own} == {"cpu:0#2"}
    stolen = decode(bus.frames[-2])
    assert isinstance(stolen.event, ev.WorkStolen)
    assert stolen.event.victim == "cpu:0"
    assert second.says(ev.FileCompleted("cpu:7", "a.fa", 0, 1, 1.0)) == "cpu:7"


def test_all_else_of_an_event_stays_as_it_is(bus: Bus) -> None:
    bus.start(1)
    second = bus.start(2)
    frame = second.frame(ev.FileCompleted(CPU.key, "a.fa", 3, 17, 2.5))
    sent, recorded = decode(frame), bus.take(frame)
    for name in ev.Envelope.__struct_fields__:
        assert getattr(recorded, name) == getattr(sent, name)
    assert recorded.event == ev.FileCompleted("cpu:0#2", "a.fa", 3, 17, 2.5)


def test_what_nobody_shares_is_recorded_byte_for_byte(bus: Bus) -> None:
    first, other = Worker(bus, 1), Worker(bus, 2)
    frames = [
        first.frame(ev.WorkerStarted(CPU, 1)),
        other.frame(ev.WorkerStarted(Device("cpu:1"), 2)),
        first.frame(BEAT),
        first.frame(ev.GpuSampled(Device("cpu:0"))),
    ]
    for frame in frames:
        bus.take(frame)
    assert bus.frames == frames


def test_a_gpu_that_two_workers_share_has_a_label_for_each(bus: Bus) -> None:
    gpu = Device("GPU-a", "A100", 3)
    bus.start(1, gpu)
    second = bus.start(2, gpu)
    assert second.name == "GPU-a#2"
    recorded = decode(bus.frames[-1])
    assert isinstance(recorded.event, ev.WorkerStarted)
    assert recorded.event.device == Device("GPU-a#2", "A100", 3, "3#2")


def test_a_number_that_a_program_has_given_itself_is_taken(bus: Bus) -> None:
    bus.start(1, Device("GPU-a#0")), bus.start(2, Device("GPU-a#2"))
    assert [bus.start(3, Device("GPU-a#0")).name, bus.start(4, Device("GPU-a")).name] == ["GPU-a#3", "GPU-a"]


def test_a_name_as_long_as_possible_is_cut_for_its_number(bus: Bus) -> None:
    names = [bus.start(pid, Device("x" * NAME_CHARACTERS)).name for pid in (1, 2)]
    assert names == ["x" * NAME_CHARACTERS, "x" * LONGEST_BASE + "#2"]


def test_a_frame_that_would_become_too_long_stays_as_it_was(bus: Bus) -> None:
    bus.start(1)
    second = bus.start(2)
    plan = ev.FilesAssigned(CPU.key, tuple(PlannedFile("x" * 4_000, 1, 1) for _ in range(16)))
    room = MAX_FRAME_BYTES - len(second.frame(plan))
    fitting = ev.FilesAssigned(CPU.key, (*plan.files, PlannedFile("y" * (room - 9), 1, 1)))
    frame = second.frame(fitting)
    assert MAX_FRAME_BYTES - 2 < len(frame) <= MAX_FRAME_BYTES
    bus.take(frame)
    assert bus.frames[-1] == frame


def test_a_coordinator_that_speaks_for_workers_is_none(bus: Bus) -> None:
    bus.start(1)
    coordinator = Sequencer(bus.clock, source=COORDINATOR_SOURCE, epoch=1, host=HOST)
    frame = encode(coordinator.next_envelope(ev.FileCompleted(CPU.key, "a.fa", 0, 1, 1.0)))
    bus.take(frame)
    assert bus.frames[-1] == frame


def test_where_a_program_has_announced_a_run_its_coordinator_names_the_devices(bus: Bus) -> None:
    bus.start(1)
    second = bus.start(2)
    coordinator = Sequencer(bus.clock, source=COORDINATOR_SOURCE, epoch=1, host=HOST)
    bus.take(encode(coordinator.next_envelope(ev.RunStarted("job", "off", (CPU,), 1))))
    assert (bus.start(3).name, second.says(BEAT)) == ("cpu:0", "cpu:0#2")
    assert resumed(bus).start_all(4, 5) == ["cpu:0", "cpu:0"]


# A worker that is started again is not a second one.


def test_a_name_is_free_again_when_its_worker_has_stopped(bus: Bus) -> None:
    bus.start(1)
    second = bus.start(2)
    bus.start(3)
    second.says(STOP)
    assert bus.start_all(4, 5) == ["cpu:0#2", "cpu:0#4"]


def test_a_name_is_free_again_when_its_process_is_gone(bus: Bus) -> None:
    bus.start(1)
    bus.running.remove(1)
    assert bus.start_all(2) == ["cpu:0"]


def test_a_process_that_connects_twice_is_one_worker(bus: Bus) -> None:
    assert bus.start_all(1, 2, 3, 2, 1, 2) == ["cpu:0", "cpu:0#2", "cpu:0#3", "cpu:0#2", "cpu:0", "cpu:0#2"]


def test_a_process_of_another_host_is_not_looked_for_here_and_has_ended_after_long_silence(bus: Bus) -> None:
    far = bus.start(1, host="far")
    assert [bus.start(2, host="far").name, bus.start(1).name] == ["cpu:0#2", "cpu:0"]
    far.says(BEAT)
    bus.clock.advance(SILENT_NS / 1e9 + 1)
    assert bus.start(3, host="far").name == "cpu:0"


def test_a_worker_that_is_heard_again_after_it_was_given_up_has_its_name(bus: Bus) -> None:
    far = bus.start(1, host="far")
    far.says(BEAT)
    bus.clock.advance(SILENT_NS / 1e9 + 1)
    bus.start(9, Device("cpu:5"), host="far"), bus.start(9, Device("cpu:5"), host="far")
    far.says(BEAT)
    assert bus.start(2, host="far").name == "cpu:0#2"


def test_a_process_that_its_container_counts_otherwise_is_not_taken_for_one_that_has_ended(bus: Bus) -> None:
    Worker(bus, 7).says(ev.WorkerStarted(CPU, 7))
    assert bus.start_all(8) == ["cpu:0#2"]


def test_a_stopped_worker_does_not_return_by_a_late_heartbeat(bus: Bus) -> None:
    first = bus.start(1)
    late = first.frame(BEAT)
    first.says(STOP)
    bus.take(late)
    assert bus.start_all(2) == ["cpu:0"]


def test_a_worker_whose_start_was_lost_is_named_by_what_comes_first(bus: Bus) -> None:
    bus.start(1)
    assert Worker(bus, 2).says(BEAT) == "cpu:0#2"
    assert Worker(bus, 3).says(ev.FileStarted(CPU.key, "a.fa")) == "cpu:0#3"


def test_users_are_told_once(bus: Bus) -> None:
    bus.start(1)
    assert bus.names.take_notice() is None
    bus.start_all(2, 3)
    notice = bus.names.take_notice() or ""
    assert "several workers call their device cpu:0" in notice
    assert "cpu:0#2" in notice
    assert "device=" in notice
    bus.start_all(4)
    assert bus.names.take_notice() is None


# A bus that is resumed.


def resumed(bus: Bus) -> Bus:
    """Another hub that continues with what `bus` has recorded."""
    later = Bus()
    later.running |= bus.running
    later.names = WorkerNames(later.clock, HOST, later.running.__contains__)
    later.names.recall(bus.frames)
    return later


def test_a_resumed_bus_keeps_the_names_of_workers_that_go_on(bus: Bus) -> None:
    bus.start(1)
    second = bus.start(2)
    second._bus = later = resumed(bus)
    assert second.says(ev.FileStarted(CPU.key, "a.fa")) == "cpu:0#2"
    assert later.start_all(3) == ["cpu:0#3"]


def test_a_resumed_bus_has_the_names_free_of_workers_that_have_ended(bus: Bus) -> None:
    first, _ = bus.start(1), bus.start(2)
    first.says(STOP)
    bus.running.remove(2)
    assert resumed(bus).start_all(3, 4) == ["cpu:0", "cpu:0#2"]


def test_a_process_with_the_number_of_one_before_a_restart_of_the_machine_does_not_hold_its_name_for_long(
    bus: Bus,
) -> None:
    bus.start(1).says(BEAT)
    later = resumed(bus)
    later.clock.advance(SILENT_NS / 1e9 + 1)
    assert later.start_all(2) == ["cpu:0"]


# Whatever happens, in whatever order.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(1, 6)),
        st.tuples(st.sampled_from(["stop", "beat", "kill"]), st.integers(0, 20)),
    ),
    max_size=40,
)


@given(STEPS, st.booleans())
def test_live_processes_have_names_of_their_own_and_a_new_one_the_lowest(
    steps: Sequence[tuple[str, int]], is_beating: bool
) -> None:
    bus = Bus()
    live: list[Worker] = []
    killed = 0
    for step, number in steps:
        if step == "start":
            worker = bus.start(number + 10 * killed)  # an id that a process had is not used again at once
            taken = {each.name for each in live if each.pid != worker.pid}
            own = {each.name for each in live if each.pid == worker.pid}
            every = ["cpu:0", *(f"cpu:0#{each}" for each in range(2, 30))]
            assert own in ({worker.name}, set())
            assert own or worker.name == next(each for each in every if each not in taken)
            live.append(worker)
        elif live and step == "kill":
            pid = live[number % len(live)].pid
            bus.running.discard(pid)
            killed += 1
            live = [each for each in live if each.pid != pid]
        elif live:
            worker = live[number % len(live)]
            assert worker.says(STOP if step == "stop" else BEAT) == worker.name
            if step == "stop":
                live.remove(worker)
        for each in live if is_beating else ():
            assert each.says(BEAT) == each.name
        names = {each.pid: each.name for each in live}
        assert len(set(names.values())) == len(names)


# In the hub.


def test_a_hub_records_new_names_with_one_notice_of_its_own_and_a_run_with_a_launcher_has_neither(
    tmp_path: Path,
) -> None:
    bus = Bus()
    frames = [Worker(bus, pid).frame(ev.WorkerStarted(CPU, pid)) for pid in (7, 8, 9)]
    for name, workers in (("hub", None), ("run", f"ipc://{tmp_path}/workers")):
        (tmp_path / name).mkdir()
        # Of another host, so that the processes are not looked for.
        with hub_in(tmp_path / name, workers, host="another") as hub:
            hub.ingest(frames)
            hub.poll()
        recorded = [decode(record.frame) for record in read_all(tmp_path / name / "run.vbus")]
        devices = [each.event.device.key for each in recorded if isinstance(each.event, ev.WorkerStarted)]
        notices = [each.source for each in recorded if isinstance(each.event, ev.Notice)]
        if workers is None:
            assert (devices, notices) == (["cpu:0", "cpu:0#2", "cpu:0#3"], [HUB_SOURCE])
        else:
            assert (devices, notices) == (["cpu:0"] * 3, [])
