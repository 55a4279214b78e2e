"""The worker, with a launcher that hands out one task for each file and notes what is reported."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from tests.support.buses import hub_in, turned_by_a_thread
from tests.support.lab import wait_until
from tests.support.run_files import recorded
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device, FileCompleted, FileFailed, FileStarted
from virnucpro_bus.publish.publisher import Publisher
from workers.process.channel import Channel
from workers.process.worker import Worker
from workers.protocol import Answer, Refusal, Settled, Task, Unable, WorkerConfig, to_bytes, to_path


class Launcher(Channel):
    """Hands out the tasks, then the end."""

    def __init__(self, tasks: Sequence[Task], at_once: int, taken_back: Collection[str]) -> None:
        """`at_once` tasks are in each answer. Those of the names `taken_back` are not to be begun."""
        self._tasks = list(tasks)
        self._at_once = at_once
        self._taken_back = taken_back
        self._held: list[str] = []
        self.refusals: dict[str, Refusal] = {}
        """Why the results of these files are not accepted."""
        self.reports: list[int] = []
        """How many files each request has reported."""
        self.unable: str | None = None
        self.unable_for_disk = False
        self.settled: list[Settled] = []

    def ask(self, settled: Sequence[Settled] = (), unable: Unable | None = None) -> Answer:
        if unable is not None:
            self.unable, self.unable_for_disk = unable.reason, unable.disk_full
        self.settled += settled
        self.reports.append(len(settled))
        refusals = tuple(self.refusals.get(name) for name in self._held[: len(settled)])
        del self._held[: len(settled)]
        if settled:
            Path("reported").touch()
        tasks = tuple(self._tasks[: self._at_once])
        del self._tasks[: self._at_once]
        for task in tasks:
            if task.file in self._taken_back:
                to_path(task.output).mkdir()
            else:
                self._held.append(task.file)
        return Answer(0, tasks if tasks or self._held else None, refusals)

    @property
    def outcomes(self) -> list[str | int]:
        """Of each file the sequences done, or why it failed."""
        events = [frame.event for each in self.settled if isinstance(frame := decode(each.frame), Envelope)]
        return [event.sequences if isinstance(event, FileCompleted) else event.reason for event in events]

    @property
    def failures(self) -> list[FileFailed]:
        events = [frame.event for each in self.settled if isinstance(frame := decode(each.frame), Envelope)]
        return [event for event in events if isinstance(event, FileFailed)]


def event_of(settled: Settled) -> FileCompleted | FileFailed:
    envelope: Any = decode(settled.frame)
    return cast("FileCompleted | FileFailed", envelope.event)


Run = Callable[..., Launcher]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a user's job, given as the text of its module, on files of the given names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "attempts").mkdir()

    def work(
        text: str,
        *names: str,
        is_last: bool = False,
        refusals: Mapping[str, Refusal] = MappingProxyType({}),
        at_once: int = 1,
        taken_back: Collection[str] = (),
        terminations: Callable[[], int] = lambda: 0,
    ) -> Launcher:
        (tmp_path / "job_of_a_user.py").write_text(text)
        sys.modules.pop("job_of_a_user", None)
        importlib.invalidate_caches()
        tasks = []
        for name in names:
            (tmp_path / name).write_text(">a\nACGT\n")
            tasks.append(
                Task(
                    *(name, to_bytes(tmp_path / name), to_bytes(tmp_path / "attempts" / name), 1),
                    is_last=is_last,
                )
            )
        config = WorkerConfig(
            *(0, "token", "", "", "run", "host", "worker-0", 1, "cpu:0", "CPU", 0, "job_of_a_user:job", {})
        )
        launcher, device = Launcher(tasks, at_once, taken_back), Device("cpu:0")
        launcher.refusals.update(refusals)
        with Publisher(hub.addresses.publish, device=device, source="worker-0", heartbeat_seconds=None) as bus:
            Worker(config, bus, launcher, terminations).work()
        return launcher

    with hub_in(tmp_path) as hub, turned_by_a_thread(hub):
        yield work
    sys.modules.pop("job_of_a_user", None)


UNUSUAL = """
import asyncio

class Rude(BaseException):
    pass

class Mute(Exception):
    def __str__(self):
        raise TypeError("no text")

RAISED = {
    "cancelled": asyncio.CancelledError(),
    "closed": GeneratorExit(),
    "interrupted": KeyboardInterrupt(),
    "left": SystemExit(3),
    "rude": Rude("get out"),
    "mute": Mute(),
    "many": BaseExceptionGroup("2 tasks", [ExceptionGroup("inner", [ValueError("bad base")]), Rude()]),
}

class job:
    def __init__(self, context):
        self.files = 0

    def __call__(self, input, output, context):
        self.files += 1
        if input.name in RAISED:
            raise RAISED[input.name]
        return self.files
"""


def test_whatever_a_job_raises_fails_that_attempt_by_name_and_the_model_stays_loaded(run: Run) -> None:
    names = ("cancelled", "closed", "interrupted", "left", "rude", "mute", "many", "good")
    launcher = run(UNUSUAL, *names)
    assert launcher.outcomes == [
        "CancelledError",
        "GeneratorExit",
        "KeyboardInterrupt",
        "SystemExit: 3",
        "Rude: get out",
        "Mute: <its str() raises TypeError>",
        "BaseExceptionGroup: 2 tasks (2 sub-exceptions): ExceptionGroup: inner (1 sub-exception): "
        "ValueError: bad base",
        8,
    ]


@pytest.mark.parametrize("raised", ["SystemExit('no licence')", "KeyboardInterrupt('no licence')"])
@pytest.mark.parametrize(
    "text", ["raise {}\n", "class job:\n    def __init__(self, context):\n        raise {}\n"]
)
def test_whatever_a_job_raises_while_it_loads_is_reported_by_name(run: Run, text: str, raised: str) -> None:
    launcher = run(text.format(raised), "a.fa")
    assert launcher.unable is not None
    assert launcher.unable.endswith(f"cannot be loaded: {raised.partition('(')[0]}: no licence")
    assert launcher.settled == []


class FullDisk:
    """A log on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("log", [FullDisk(), None])
def test_a_log_that_cannot_be_written_does_not_end_the_worker(
    run: Run, monkeypatch: pytest.MonkeyPatch, log: object
) -> None:
    monkeypatch.setattr(sys, "stderr", log)
    assert run(UNUSUAL, "rude", "good").outcomes == ["Rude: get out", 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "    return None\n",
            "job 'job_of_a_user:job' returned None; it must return the number of sequences done",
        ),
        (
            "    output.rmdir()\n    return 1\n",
            "the job has removed its output folder; it must leave its results there",
        ),
        ("    output.parent.rename('elsewhere')\n    return 1\n", "attempts: has been removed"),
        ("    raise OSError(28, 'No space left on device')\n", "a.fa failed because the disk is full"),
    ],
)
def test_what_fails_every_file_is_charged_to_none(run: Run, text: str, reason: str) -> None:
    launcher = run("def job(input, output, context):\n" + text, "a.fa", is_last=True)
    (settled,) = launcher.settled
    assert settled.stop_reason is not None
    assert settled.stop_reason.endswith(reason)
    assert [failure.final for failure in launcher.failures] == [False]


def test_a_failure_of_the_file_is_charged_to_it(run: Run) -> None:
    launcher = run("def job(input, output, context):\n    raise ValueError('bad')\n", "a.fa", is_last=True)
    assert [settled.stop_reason for settled in launcher.settled] == [None]
    assert [failure.final for failure in launcher.failures] == [True]


def test_a_file_that_a_job_gives_up_is_not_tried_again_and_the_text_is_the_reason(run: Run) -> None:
    launcher = run(
        "from virnucpro_bus import DoNotRetry\n"
        "class TooLong(ValueError, DoNotRetry): pass\n"
        "def job(input, output, context):\n    raise TooLong('1,300 tokens')\n",
        "a.fa",
        is_last=False,
    )
    assert [(failure.reason, failure.final) for failure in launcher.failures] == [("1,300 tokens", True)]
    assert [settled.stop_reason for settled in launcher.settled] == [None]


def test_a_job_that_cannot_be_loaded_because_the_disk_is_full_is_reported_as_such(run: Run) -> None:
    assert run("raise OSError(28, 'No space left on device')\n").unable_for_disk
    assert not run("raise OSError(5, 'Input/output error')\n").unable_for_disk


@pytest.mark.parametrize("final", [False, True])
def test_results_that_are_refused_are_published_as_the_failure_that_the_launcher_recorded(
    run: Run, tmp_path: Path, final: bool
) -> None:
    job = "def job(input, output, context):\n    return 1\n"
    run(job, "a.fa", is_last=True, refusals={"a.fa": Refusal("no room", is_final=final)})
    wait_until(lambda: recorded(tmp_path, FileFailed), "the failure is recorded", 5)
    (failed,) = recorded(tmp_path, FileFailed)
    assert (failed.event.reason, failed.event.final) == ("no room", final)
    assert recorded(tmp_path, FileCompleted) == []


@pytest.mark.parametrize("leave", ["(output / 'left').mkdir(0)", "output.chmod(0)", "output.rmdir()"])
def test_an_attempt_that_is_repeated_after_a_signal_finds_its_folder_empty(run: Run, leave: str) -> None:
    job = f"""
tries = []

def job(input, output, context):
    tries.append(list(output.iterdir()))
    if len(tries) == 1:
        {leave}
        raise ValueError("killed")
    assert tries == [[], []]
    return len(tries)
"""
    # So a SIGTERM was ignored meanwhile.
    assert run(job, "a", terminations=count().__next__).outcomes == [2]


# Files that it holds ahead of their turn.

WAITING = """
from pathlib import Path
from time import sleep

def job(input, output, context):
    (output / "text").write_text(input.name)
    for _ in range(2_000 if input.name == "b" else 0):
        if Path("reported").exists():
            break
        sleep(0.005)
    else:
        if input.name == "b":
            raise RuntimeError("the file before was not reported meanwhile")
    return 1
"""
QUICK = "def job(input, output, context):\n    return 1\n"


def test_a_file_is_reported_while_the_job_is_at_work_on_the_next_one(run: Run) -> None:
    launcher = run(WAITING, "a", "b", "c", "d", at_once=4)
    assert launcher.outcomes == [1, 1, 1, 1]
    # The first request asks for files, the second reports the first one; the others may be reported together.
    assert launcher.reports[:2] == [0, 1]
    assert sum(launcher.reports) == 4


def test_on_the_bus_each_file_starts_after_the_end_of_the_one_before_and_none_overlaps(
    run: Run, tmp_path: Path
) -> None:
    names = [f"{number}.fa" for number in range(20)]
    run(QUICK, *names, at_once=20)
    wait_until(lambda: len(recorded(tmp_path, FileCompleted)) == 20, "all are recorded", 5)
    started, completed = recorded(tmp_path, FileStarted), recorded(tmp_path, FileCompleted)
    for events in (started, completed):
        assert [each.event.file for each in sorted(events, key=lambda each: each.seq)] == names
    begins = {each.event.file: each for each in started}
    ends = {each.event.file: each for each in completed}
    for name in names:
        assert begins[name].seq < ends[name].seq
        took_ns = ends[name].mono_ns - begins[name].mono_ns
        assert ends[name].event.duration_seconds == took_ns / NANOSECONDS
    assert all(ends[before].mono_ns <= begins[after].mono_ns for before, after in pairwise(names))


def test_files_that_were_taken_back_are_left_alone_and_then_more_are_asked_for(run: Run, tmp_path: Path) -> None:
    launcher = run(QUICK, "a", "b", "c", "d", "e", at_once=3, taken_back=("b", "c", "d"))
    assert [event_of(each).file for each in launcher.settled] == ["a", "e"]
    assert {each.event.file for each in recorded(tmp_path, FileStarted)} <= {"a", "e"}


def test_of_files_that_are_reported_together_each_is_accepted_or_refused(run: Run, tmp_path: Path) -> None:
    names = [f"{number}.fa" for number in range(9)]
    refused = {name: Refusal("no room") for name in names[::2]}
    run(QUICK, *names, at_once=9, refusals=refused)
    wait_until(lambda: len(recorded(tmp_path, FileFailed)) == 5, "the failures are recorded", 5)
    assert {each.event.file for each in recorded(tmp_path, FileFailed)} == set(refused)
    assert {each.event.file for each in recorded(tmp_path, FileCompleted)} == set(names[1::2])


def test_a_failure_among_files_that_are_held_ahead_is_that_files_alone(run: Run) -> None:
    launcher = run(UNUSUAL, "good", "rude", "well", "mute", "fine", at_once=5)
    assert launcher.outcomes == [1, "Rude: get out", 3, "Mute: <its str() raises TypeError>", 5]


def test_a_file_whose_output_folder_cannot_be_made_is_charged_to_none(run: Run) -> None:
    launcher = run(
        "def job(input, output, context):\n    output.parent.rename('x')\n    return 1\n", "a", "b", at_once=2
    )
    assert [str(each.stop_reason).endswith("attempts: has been removed") for each in launcher.settled] == [
        True
    ] * 2
    assert launcher.failures[1].reason.startswith("FileNotFoundError: [Errno 2] No such file or directory: '/")


def test_what_a_failed_job_had_in_memory_is_free_before_the_next_file(run: Run) -> None:
    job = """
import weakref

class Big:
    pass

left = []

def job(input, output, context):
    if left and left[0]() is not None:
        raise RuntimeError("it is still there")
    big = Big()
    left[:] = [weakref.ref(big)]
    if input.name == "a":
        raise ValueError("bad")
    return 1
"""
    assert run(job, "a", "b", at_once=2).outcomes == ["ValueError: bad", 1]
