"""Generated runs: what the launcher and several workers would publish, and the true figures.

    from tests.support.runs import made_runs

The run is simulated step by step, with steals, failures, deaths and restarts. What is true of it is counted beside
it, so that a fold is held to what has happened and not to another fold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.vocabulary import STARTING, Device
from virnucpro_bus.testing import Script

DEVICES = tuple(Device(f"GPU-{at}", "A100", at) for at in range(3))
LATE = Device("GPU-3", "A100", 3)
"""Joins a run after its start, if at all."""


@dataclass
class Expected:
    """What is true of one device."""

    completed: int = 0
    failed: int = 0
    sequences: int = 0
    stolen_to: int = 0
    stolen_from: int = 0


@dataclass
class Worker:
    """A worker process, as the launcher and it would know it."""

    device: Device
    epoch: int = 0
    alive: bool = False
    file: str = ""
    attempt: int = 0
    stolen_from: str | None = None
    stolen_at_ns: int = 0
    done: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Completed, failed, sequences and steals of this epoch, as its heartbeats tell them."""
    is_loading: bool = False
    says_that_it_loads: bool = False
    """Whether an event of this epoch has said so."""
    started_ns: int = 0
    loaded_ns: int = 0
    """When it was ready, or ended before that."""

    @property
    def source(self) -> str:
        return f"worker-{self.device.index}"


class MadeRun:
    """A run that is told to go on step by step."""

    def __init__(self, files: int, host: str = "node", clock: ManualClock | None = None) -> None:
        self.script = Script(host=host)
        self.script.clock = clock or self.script.clock
        self.session = 1
        self.expected = {device.key: Expected() for device in DEVICES}
        self.workers = [Worker(device) for device in DEVICES]
        self.queues = {
            device.key: [f"{number}.fa" for number in range(files) if number % len(DEVICES) == at]
            for at, device in enumerate(DEVICES)
        }
        self._late = Worker(LATE)
        self._attempts: dict[str, int] = {}
        self._files = files
        self._announce()

    def _announce(self) -> None:
        self._launcher(ev.RunStarted("job", "threshold", DEVICES, self._files))
        for key, queue in self.queues.items():
            self._launcher(ev.FilesAssigned(key, tuple(ev.PlannedFile(file, len(file), 7) for file in queue)))

    def resume(self) -> None:
        """Launcher and workers were killed, and the run is resumed, without the device that had joined it."""
        self.queues[DEVICES[0].key] += self.queues.pop(LATE.key, [])
        self.session += 1
        self._announce()
        for worker in self.workers:
            self.die(worker)
        self.workers = self.workers[: len(DEVICES)]

    def reboot(self, uptime_seconds: float) -> None:
        """The machine was restarted: its monotonic clock begins again. The run is resumed after that."""
        self.script.clock.mono = round(uptime_seconds * NANOSECONDS)
        self.resume()

    def _launcher(self, event: ev.Fact) -> None:
        self.script.say("coordinator", event, epoch=self.session)

    def _say(self, worker: Worker, event: ev.Fact) -> None:
        self.script.say(worker.source, event, epoch=worker.epoch)

    def work(self, worker: Worker, *, dies_with_the_file: bool) -> None:
        """Whatever comes next for this worker: it starts, is ready, takes a file, or completes the one in hand."""
        if not worker.alive:
            self._start(worker)
        elif worker.is_loading:
            worker.is_loading, worker.loaded_ns = False, self.script.clock.mono_ns()
            self.beat(worker)
        elif not worker.file:
            self._take(worker, dies_with_the_file)
        else:
            key, sequences = worker.device.key, 10 + len(self.script.envelopes)
            self._say(worker, ev.FileCompleted(key, worker.file, worker.attempt, sequences, 1.5))
            self._count(worker, completed=1, sequences=sequences)
            worker.file = ""

    def _start(self, worker: Worker) -> None:
        """Of three workers one loads and says so at once, one by its heartbeats alone, and one loads nothing."""
        worker.alive, worker.epoch, worker.done = True, worker.epoch + 1, [0, 0, 0, 0]
        worker.is_loading, worker.says_that_it_loads = worker.epoch % 3 != 0, worker.epoch % 3 == 1
        worker.started_ns = self.script.clock.mono_ns()
        self._say(worker, ev.WorkerStarted(worker.device, 100, worker.says_that_it_loads))

    def _take(self, worker: Worker, dies_with_it: bool) -> None:
        key = worker.device.key
        victim = key if self.queues[key] else max(self.queues, key=lambda each: len(self.queues[each]))
        if not self.queues[victim]:
            return
        worker.file = self.queues[victim].pop(0)
        worker.attempt = self._attempts[worker.file] = self._attempts.get(worker.file, 0) + 1
        worker.stolen_from = None if victim == key else victim
        worker.stolen_at_ns = self.script.clock.wall_ns() if worker.stolen_from else 0
        if worker.stolen_from:
            self.expected[victim].stolen_from += 1
            self.expected[key].stolen_to += 1
        if dies_with_it:
            # Before it could say a word: a steal is then known from the launcher alone.
            self.die(worker)
            return
        if worker.stolen_from:
            worker.done[3] += 1
            stolen = ev.WorkStolen(key, victim, worker.file, worker.attempt, worker.stolen_at_ns)
            self._say(worker, stolen)
        self._say(worker, ev.FileStarted(key, worker.file, worker.attempt))
        # More than once: of several reports the last one counts.
        self.progress(worker)
        self.progress(worker)

    def join(self) -> None:
        """One more device joins, unless it has."""
        if self._late not in self.workers:
            self.workers.append(self._late)
            self.queues[LATE.key] = []
            self.expected.setdefault(LATE.key, Expected())
            self._launcher(ev.DeviceJoined(LATE))

    def act(self, action: str, at: int) -> None:
        """Do one of ACTIONS, with the device of that number."""
        worker = self.workers[at % len(self.workers)]
        match action:
            case "work" | "die at once":
                self.work(worker, dies_with_the_file=action == "die at once")
            case "depths" | "join":
                getattr(self, action)()
            case "sample":
                self.sample(worker.device)
            case _:
                getattr(self, action)(worker)

    def fail(self, worker: Worker) -> None:
        """The file in hand cannot be done."""
        if worker.file:
            self._say(worker, ev.FileFailed(worker.device.key, worker.file, worker.attempt, "not FASTA", 0.5))
            self._count(worker, failed=1)
            worker.file = ""

    def progress(self, worker: Worker) -> None:
        """Some of the file in hand is done."""
        if worker.file:
            done = len(self.script.envelopes)
            total = (None, 0, 60, 500, 500)[done % 5]
            self._say(worker, ev.FileProgress(worker.device.key, worker.file, worker.attempt, done, total))

    def beat(self, worker: Worker) -> None:
        """A heartbeat."""
        if worker.alive:
            state = STARTING if worker.is_loading else "busy" if worker.file else "idle"
            worker.says_that_it_loads = worker.says_that_it_loads or worker.is_loading
            completed, failed, sequences, steals = worker.done
            self._say(worker, ev.Heartbeat(worker.device.key, state, completed, failed, sequences, steals, 0))

    def die(self, worker: Worker) -> None:
        """It is killed; the file in hand goes back to the device's own queue."""
        if not worker.alive:
            return
        self._end(worker)
        held = (worker.file, worker.attempt, worker.stolen_from, worker.stolen_at_ns) if worker.file else ()
        self._launcher(ev.WorkerLost(worker.device.key, worker.source, worker.epoch, "was killed", *held))
        if worker.file:
            self.queues.get(worker.device.key, self.queues[DEVICES[0].key]).insert(0, worker.file)
        worker.file = ""

    def stop(self, worker: Worker) -> None:
        """It ends of its own will, between two files."""
        if worker.alive and not worker.file:
            self.beat(worker)
            self._say(worker, ev.WorkerStopped(worker.device.key, "finished"))
            self._end(worker)

    def _end(self, worker: Worker) -> None:
        worker.alive = False
        if worker.is_loading:
            heard = [each.mono_ns for each in self.script.envelopes if each.source == worker.source]
            worker.loaded_ns = heard[-1]

    def depths(self) -> None:
        """The launcher tells how many files wait."""
        self._launcher(ev.QueueDepths({key: len(files) for key, files in self.queues.items()}))

    def sample(self, device: Device) -> None:
        """The sampler tells of one GPU."""
        percent = float(len(self.script.envelopes) % 100)
        energy = int(self.script.clock.mono_ns() // 10_000_000)
        look = ev.GpuSampled(device, percent, None, int(percent), 100, 40.0, 100.0, energy_millijoules=energy)
        self.script.say("sampler", look, epoch=self.session)

    def finish(self) -> None:
        """The run is over."""
        settled = [sum(counts) for counts in zip(*((e.completed, e.failed) for e in self.all()), strict=True)]
        self._launcher(ev.RunFinished(0, *settled))

    def all(self) -> list[Expected]:
        """What is true of every device."""
        return list(self.expected.values())

    def _count(self, worker: Worker, completed: int = 0, failed: int = 0, sequences: int = 0) -> None:
        expected = self.expected[worker.device.key]
        expected.completed += completed
        expected.failed += failed
        expected.sequences += sequences
        for at, more in enumerate((completed, failed, sequences)):
            worker.done[at] += more


ACTIONS = ("work",) * 6 + (
    "progress",
    "beat",
    "beat",
    "fail",
    "die",
    "die at once",
    "stop",
    "depths",
    "sample",
    "join",
)


@st.composite
def made_runs(draw: st.DrawFn, *, finished: bool | None = None) -> MadeRun:
    """Runs over three devices, or one more; `finished` None leaves open whether they have come to their end."""
    run = MadeRun(files=draw(st.integers(0, 12)))
    # Left to itself, a list is mostly too short for anything to be stolen.
    length = draw(st.sampled_from([0, 10, 40]))
    steps = st.tuples(
        st.integers(0, len(DEVICES)), st.sampled_from(ACTIONS), st.sampled_from([0.0, 0.25, 1.0, 7.0])
    )
    for at, action, pause in draw(st.lists(steps, min_size=length, max_size=length)):
        run.script.clock.advance(pause)
        run.act(action, at)
    if draw(st.booleans()) if finished is None else finished:
        run.finish()
    return run
