"""The worker, with a launcher that hands out one task for each file and notes what is reported."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.buses import hub_in, turned_by_a_thread
from tests.support.lab import wait_until
from tests.support.run_files import recorded
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device, FileCompleted, FileFailed
from virnucpro_bus.publish.publisher import Publisher
from workers.process.channel import Channel
from workers.process.worker import Worker
from workers.protocol import Answer, Refusal, Settled, Task, Unable, WorkerConfig, to_bytes


class Launcher(Channel):
    """Hands out the tasks, then the end."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = list(tasks)
        self.refusal: Refusal | None = None
        """Why no results are accepted; None: they are."""
        self.unable: str | None = None
        self.unable_for_disk = False
        self.settled: list[Settled] = []

    def ask(self, settled: Settled | Unable | None = None) -> Answer:
        if isinstance(settled, Unable):
            self.unable, self.unable_for_disk = settled.reason, settled.disk_full
        elif settled is not None:
            self.settled.append(settled)
        return Answer(0, self._tasks.pop(0) if self._tasks else None, self.refusal)

    @property
    def outcomes(self) -> list[str | int]:
        """Of each file the sequences done, or why it failed."""
        events = [frame.event for each in self.settled if isinstance(frame := decode(each.frame), Envelope)]
        return [event.sequences if isinstance(event, FileCompleted) else event.reason for event in events]

    @property
    def failures(self) -> list[FileFailed]:
        events = [frame.event for each in self.settled if isinstance(frame := decode(each.frame), Envelope)]
        return [event for event in events if isinstance(event, FileFailed)]


Run = Callable[..., Launcher]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a user's job, given as the text of its module, on files of the given names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "attempts").mkdir()

    def work(text: str, *names: str, is_last: bool = False, refusal: Refusal | None = None) -> Launcher:
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
        launcher, device = Launcher(tasks), Device("cpu:0")
        launcher.refusal = refusal
        with Publisher(hub.addresses.publish, device=device, source="worker-0", heartbeat_seconds=None) as bus:
            Worker(config, bus, launcher, lambda: 0).work()
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


def test_a_job_that_cannot_be_loaded_because_the_disk_is_full_is_reported_as_such(run: Run) -> None:
    assert run("raise OSError(28, 'No space left on device')\n").unable_for_disk
    assert not run("raise OSError(5, 'Input/output error')\n").unable_for_disk


@pytest.mark.parametrize("final", [False, True])
def test_results_that_are_refused_are_published_as_the_failure_that_the_launcher_recorded(
    run: Run, tmp_path: Path, final: bool
) -> None:
    job = "def job(input, output, context):\n    return 1\n"
    run(job, "a.fa", is_last=True, refusal=Refusal("no room", is_final=final))
    wait_until(lambda: recorded(tmp_path, FileFailed), "the failure is recorded", 5)
    (failed,) = recorded(tmp_path, FileFailed)
    assert (failed.event.reason, failed.event.final) == ("no room", final)
    assert recorded(tmp_path, FileCompleted) == []
