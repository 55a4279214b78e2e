"""The journal: whom it believes, and what follows from it where events are missing."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.captures import read_all
from tests.support.machine import Machine, some_inputs
from tests.support.past_runs import RecordedRun
from tests.support.run_files import results
from virnucpro_bus import events as ev
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import Device, Fact
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.sources.playback import fold_capture
from workers.commit.result_store import ResultStore
from workers.inputs.input_file import InputFile
from workers.resume.journal import PastRun, read_past_run
from workers.resume.resume import plan_resume

CPU = Device("cpu:0")
PLANNED = ev.PlannedFile("a.fa", 1, 1, "i")


def journal(*events: tuple[str, Fact], run: str = "run-7", host: str = "node", epoch: int = 3) -> PastRun:
    """The journal of a run that has begun, after further events, each by a source of this run, host and epoch."""
    past = RecordedRun()
    add(past, ("coordinator", ev.RunStarted("job", "off", (CPU,), 1, "s")), epoch=1)
    add(past, ("coordinator", ev.FilesAssigned("cpu:0", (PLANNED,))), epoch=2)
    add(past, *events, run=run, host=host, epoch=epoch)
    return past


def add(past: PastRun, *events: tuple[str, Fact], run: str = "run-7", host: str = "node", epoch: int = 3) -> None:
    for source, event in events:
        sequencer = Sequencer(ManualClock(), source=source, run=run, epoch=epoch, host=host)
        past.apply([encode(sequencer.next_envelope(event))])


COMMIT = ev.FileCommitted("cpu:0", "a.fa", 1, 0, 0, "d")
CLAIMS = [
    COMMIT,
    ev.RunStarted("other", "off", (), 9, "others"),
    ev.FilesAssigned("cpu:0", (ev.PlannedFile("a.fa", 1, 1, "another"),)),
    ev.FileQuarantined("a.fa", 3, "no"),
    ev.FileCompleted("cpu:0", "a.fa", 1, 9, 1.0),
    ev.WorkerStarted(CPU, 1),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: type(claim).__name__)
@pytest.mark.parametrize(
    "sender",
    [
        {"source": "pid-9", "run": "run-7", "host": "node"},
        {"source": "coordinator", "run": "run-6", "host": "node"},
        {"source": "coordinator", "run": "run-7", "host": "elsewhere"},
        {"source": "worker-0", "run": "run-6", "host": "node"},
        {"source": "worker-0", "run": "run-7", "host": "elsewhere"},
    ],
    ids=lambda sender: "-".join(sender.values()),
)
def test_nobody_else_is_believed(claim: Fact, sender: dict[str, str]) -> None:
    past = journal((sender["source"], claim), run=sender["run"], host=sender["host"])
    assert past.started is not None
    assert (past.started.settings, list(past.read_plan().values())) == ("s", [PLANNED])
    assert past.planned.has("a.fa", "i")
    assert (past.settled, past.committed, past.running_workers) == ({}, {}, {})


def test_workers_decide_nothing_that_is_the_coordinators() -> None:
    past = journal(("worker-0", COMMIT), ("worker-0", ev.RunStarted("other", "off", (), 9, "others")))
    assert past.committed == {}
    assert past.started is not None
    assert past.started.settings == "s"


def test_epochs_continue_after_the_latest_of_any_event_whatever_run_it_names() -> None:
    past = journal(("worker-0", ev.FileStarted("cpu:0", "a.fa")), epoch=7)
    assert past.last_worker_epoch == 7
    add(past, ("worker-1", ev.Heartbeat("cpu:1", "idle", 0, 0, 0, 0, 0)), run="run-6", epoch=8)
    assert past.last_worker_epoch == 8
    add(past, ("coordinator", ev.WorkerLost("cpu:0", "worker-0", 9, "died")), epoch=5)
    add(past, ("coordinator", ev.QueueDepths({})), run="run-6", epoch=6)
    assert (past.last_epoch, past.last_worker_epoch) == (6, 9)


def test_a_worker_whose_first_event_is_missing_is_known_by_any_other() -> None:
    past = journal(("worker-0", ev.FileStarted("cpu:0", "a.fa", 2)))
    lost = ev.WorkerLost("cpu:0", "worker-0", 3, "the launcher has ended", "a.fa", 2)
    assert list(past.running_workers.values()) == [lost]
    add(past, ("worker-0", ev.WorkerStopped("cpu:0", "finished")))
    add(past, ("worker-0", ev.Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 0)))
    assert past.running_workers == {}


def test_the_memory_of_a_journal_is_given_back_with_its_last_user() -> None:
    """A million files take 300 MB of it, while the run that resumes them lasts."""
    gc.disable()
    try:
        kept = weakref.ref(journal(("coordinator", COMMIT)))
        assert kept() is None
    finally:
        gc.enable()


def test_a_commit_whose_completion_is_missing_is_reopened_when_its_file_is_done_again(tmp_path: Path) -> None:
    past = journal(("coordinator", ev.FileCommitted("cpu:0", "a.fa", 1, 1, 9, "d", 4)))
    given = InputFile("a.fa", Path("/a.fa"), "a", 1, 1, False)
    (event,) = plan_resume(past, [given], ResultStore(tmp_path), redo=True).events
    assert isinstance(event, ev.FileReopened)
    assert (event.file, event.device, event.completed, event.sequences) == ("a.fa", "cpu:0", True, 4)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Sequence[InputFile]:
    return some_inputs(tmp_path_factory.mktemp("inputs") / "in")


@pytest.mark.parametrize("seed", range(25))
def test_whatever_events_a_journal_has_lost_the_resumed_run_has_exact_results_and_totals(
    tmp_path: Path, inputs: Sequence[InputFile], seed: int
) -> None:
    chance = random.Random(seed)
    capture = tmp_path / "run" / CAPTURE_NAME
    Machine(tmp_path / "run", inputs, Disk()).work()
    whole = results(tmp_path / "run")
    for session in (2, 3):
        frames = [record.frame for record in read_all(capture)]
        capture.unlink()
        with CaptureWriter(capture, ManualClock()) as writer:
            writer.append(frame for frame in frames if chance.random() > chance.choice([0.05, 0.3, 0.7]))
        Machine(tmp_path / "run", inputs, Disk(), wall_seconds=100 * session).work()
        totals = fold_capture(capture, ManualClock()).get_totals()
        assert (totals["files_completed"], totals["files_failed"], totals["sequences"]) == (5, 0, 5)
        assert totals["files_total"] == 5
        assert results(tmp_path / "run") == whole


def test_a_damaged_journal_is_reported_once_and_one_that_is_cut_off_is_not(
    tmp_path: Path, inputs: Sequence[InputFile]
) -> None:
    capture, store = tmp_path / "run" / CAPTURE_NAME, ResultStore(tmp_path / "run")
    Machine(tmp_path / "run", inputs, Disk()).work()
    data = bytearray(capture.read_bytes())
    capture.write_bytes(data[:-5])
    assert plan_resume(read_past_run(capture), inputs, store).notes == ()
    data[100] ^= 255
    data[-200] ^= 255
    capture.write_bytes(data)
    notes = plan_resume(read_past_run(capture), inputs, store).notes
    assert notes[0] == "run.vbus is damaged (places: 2): what it lacks is done again"
    assert sum("damaged" in note for note in notes) == 1
