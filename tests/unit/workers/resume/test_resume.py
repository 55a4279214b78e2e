"""Resuming a run: what counts as done, what is done again and why, and what is published about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.captures import write_capture
from tests.support.machine import SETTINGS, Machine, some_inputs
from tests.support.past_runs import RecordedRun
from tests.support.plans import cpus, input_files
from tests.support.run_files import results
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.run_events import FilesAssigned, PlannedFile, RunStarted, Shard
from virnucpro_bus.events.vocabulary import (
    Device,
    Fact,
    FileCompleted,
    FileFailed,
    FileReopened,
    FileStarted,
    WorkerLost,
    WorkerStarted,
    WorkStolen,
)
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.metrics_log_format import SIGNATURE
from virnucpro_bus.run_folder import CAPTURE_NAME, SUMMARY_NAME
from workers.commit.result_store import ResultStore
from workers.inputs.find import find_inputs
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles
from workers.resume.journal import PastRun, read_past_run
from workers.resume.past_folder import open_past_run, settings_of
from workers.resume.resume import (
    CHANGED,
    DAMAGED,
    FAILED,
    INPUTS_OF_SHARDS_CHANGED,
    NO_LONGER_INPUT,
    NOT_COMMITTED,
    ResumePlan,
    plan_resume,
)
from workers.schedule.plan import plan_events
from workers.schedule.shard import ShardName, share_of


@pytest.fixture
def inputs(tmp_path: Path) -> Sequence[InputFile]:
    return some_inputs(tmp_path / "in")


@pytest.fixture
def run_dir(tmp_path: Path, inputs: Sequence[InputFile]) -> Path:
    """A run that is over."""
    Machine(tmp_path / "run", inputs, Disk()).work()
    return tmp_path / "run"


def resumed(run_dir: Path, *, redo: bool = False, warn: Callable[[str], object] = print) -> ResumePlan:
    files = find_inputs([run_dir.parent / "in"]).files
    past = read_past_run(run_dir / CAPTURE_NAME)
    return plan_resume(past, files, ResultStore(run_dir), redo=redo, warn=warn)


def reopened(resumption: ResumePlan) -> dict[str, str]:
    return {event.file: event.reason for event in resumption.events if isinstance(event, FileReopened)}


# What is there, compared with what the journal says


def test_of_a_run_that_is_over_nothing_is_left_to_do(run_dir: Path) -> None:
    before = results(run_dir)
    resumption = resumed(run_dir)
    assert (resumption.remaining, resumption.done, resumption.notes) == ((), 5, ())
    assert reopened(resumption) == {}
    assert results(run_dir) == before


def grown(run_dir: Path) -> None:
    (run_dir / "results" / "two.upper").write_text("longer than it was")


def turned(run_dir: Path) -> None:
    path = run_dir / "results" / "two.size" / "bytes"
    path.write_text(path.read_text()[::-1])


def removed(run_dir: Path) -> None:
    (run_dir / "results" / "two.upper").unlink()


@pytest.mark.parametrize("damage", [grown, turned, removed])
def test_results_that_are_not_as_they_were_are_made_again(run_dir: Path, damage: Callable[[Path], None]) -> None:
    damage(run_dir)
    resumption = resumed(run_dir)
    assert [file.id for file in resumption.remaining] == ["two.fa"]
    assert (resumption.done, reopened(resumption)) == (4, {"two.fa": DAMAGED})
    assert resumption.notes == (f"two.fa: is done again: {DAMAGED}",)
    before = results(run_dir)
    Machine(run_dir, find_inputs([run_dir.parent / "in"]).files, Disk(), wall_seconds=9).work()
    assert results(run_dir).keys() == before.keys() | {"two.upper", "two.size/bytes"}
    assert resumed(run_dir).done == 5


def beside(run_dir: Path) -> None:
    (run_dir / "results" / "two.more").write_text("mine")


def within_a_result(run_dir: Path) -> None:
    (run_dir / "results" / "two.size" / "more").write_text("mine")


def within_a_folder_of_results(run_dir: Path) -> None:
    (run_dir / "results" / "deep.fa" / "more").write_text("mine")


@pytest.mark.parametrize("add", [beside, within_a_result, within_a_folder_of_results])
def test_files_that_the_user_adds_stay_and_make_nothing_be_done_again(
    run_dir: Path, add: Callable[[Path], None]
) -> None:
    add(run_dir)
    before = results(run_dir)
    resumption = resumed(run_dir)
    assert (resumption.remaining, resumption.done) == ((), 5)
    for name in ("two.fa", "deep.fa"):
        (run_dir.parent / "in" / name).write_text(">other\nacgtacgtacgt\n")
    Machine(run_dir, find_inputs([run_dir.parent / "in"]).files, Disk(), wall_seconds=9).work()
    after = results(run_dir)
    assert after.keys() == before.keys()
    assert b"mine" in after.values()


def test_an_input_that_has_changed_is_done_again(run_dir: Path) -> None:
    (run_dir.parent / "in" / "deep.fa").write_text(">other\nacgt\n")
    resumption = resumed(run_dir)
    assert [file.id for file in resumption.remaining] == ["deep.fa"]
    assert reopened(resumption) == {"deep.fa": CHANGED}


def test_results_stay_until_the_next_commit_replaces_them(run_dir: Path) -> None:
    before = results(run_dir)
    for name in ("one.fa", "deep.fa"):
        (run_dir.parent / "in" / name).write_text(">other\nacgt\n")
    assert len(resumed(run_dir).remaining) == 2
    assert results(run_dir) == before
    machine = Machine(run_dir, find_inputs([run_dir.parent / "in"]).files, Disk(), wall_seconds=9)
    machine.start()
    report = machine.attempt(0)
    assert report is not None
    assert results(run_dir) == before
    machine.commits.commit([report])
    changed = {name for name, content in results(run_dir).items() if before[name] != content}
    assert {name.partition(".")[0] for name in changed} == {report.held.file.stem}


def test_results_that_a_killed_launcher_has_placed_and_not_committed_are_removed(
    tmp_path: Path, inputs: Sequence[InputFile]
) -> None:
    machine = Machine(tmp_path / "run", inputs, Disk())
    machine.start()
    reports = [machine.attempt(0), machine.attempt(1)]
    assert None not in reports
    machine.commits._record = lambda attempts, placed: None  # type: ignore[method-assign]
    machine.commits.commit([report for report in reports if report is not None])
    (tmp_path / "run" / "results" / "one.mine").touch()
    assert len(results(tmp_path / "run")) > 1
    assert len(resumed(tmp_path / "run").remaining) == 5
    assert results(tmp_path / "run").keys() == {"one.mine"}


def rewritten(run_dir: Path, *names: str) -> None:
    for name in names:
        (run_dir.parent / "in" / name).write_text(">other\nacgt\n")


def test_a_resume_that_would_do_more_files_again_than_it_keeps_is_refused_and_changes_nothing(
    run_dir: Path,
) -> None:
    rewritten(run_dir, "one.fa", "two.fa", "deep.fa")
    before = results(run_dir)
    with pytest.raises(UserError, match=r"3 of the 5 files that are done would be .*: the input has .* --redo$"):
        resumed(run_dir)
    assert results(run_dir) == before
    assert len(resumed(run_dir, redo=True).remaining) == 3


def test_results_that_are_gone_are_made_again_without_a_question(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "results")
    assert len(resumed(run_dir).remaining) == 5


def test_inputs_that_were_touched_are_compared_once(run_dir: Path) -> None:
    for path in (run_dir.parent / "in").iterdir():
        os.utime(path, ns=(1, 1))
    told: list[str] = []
    assert resumed(run_dir, warn=told.append).done == 5
    assert len(told) == 1
    Machine(run_dir, find_inputs([run_dir.parent / "in"]).files, Disk(), wall_seconds=9).work()
    assert resumed(run_dir, warn=told.append).done == 5
    assert len(told) == 1


def test_a_renamed_input_is_done_while_its_results_are_there(run_dir: Path) -> None:
    name = os.fsdecode(b"deux\xff.fa")
    (run_dir.parent / "in" / "two.fa").rename(run_dir.parent / "in" / name)
    resumption = resumed(run_dir)
    assert (resumption.remaining, resumption.done) == ((), 5)
    assert resumption.notes == (r"deux\xff.fa: is two.fa under another name, and its results keep that name",)
    removed(run_dir)
    assert [file.id for file in resumed(run_dir).remaining] == [r"deux\xff.fa"]


def test_an_input_that_is_new_is_done(run_dir: Path) -> None:
    (run_dir.parent / "in" / "new.fa").write_text(">new\nA\n")
    resumption = resumed(run_dir)
    assert [file.id for file in resumption.remaining] == ["new.fa"]
    assert resumption.done == 5


def test_results_of_an_input_that_is_gone_stay_and_count(run_dir: Path) -> None:
    (run_dir.parent / "in" / "two.fa").unlink()
    resumption = resumed(run_dir)
    assert (resumption.remaining, resumption.done) == ((), 5)
    assert (run_dir / "results" / "two.upper").exists()


def test_the_results_that_are_made_again_are_what_they_were(run_dir: Path) -> None:
    before = results(run_dir)
    removed(run_dir)
    Machine(run_dir, find_inputs([run_dir.parent / "in"]).files, Disk(), wall_seconds=9).work()
    assert results(run_dir) == before


# What the journal records


class Journal:
    """A journal, recorded event by event."""

    def __init__(self) -> None:
        self.past = RecordedRun()
        self.frames: list[bytes] = []
        self._stamps: dict[str, Sequencer] = {}

    def record(self, source: str, event: Fact, epoch: int = 3) -> None:
        stamp = self._stamps.setdefault(source, Sequencer(ManualClock(), source=source, run="run-7", epoch=epoch))
        self.frames.append(encode(stamp.next_envelope(event)))
        self.past.apply(self.frames[-1:])


@pytest.fixture
def journal() -> Journal:
    made = Journal()
    made.record("coordinator", RunStarted("job", "off", (), 2, "s"), epoch=44)
    planned = PlannedFile("a.fa", 1, 1, "i"), PlannedFile("b.fa", 1, 1, "j")
    made.record("coordinator", FilesAssigned("cpu:0", planned))
    made.record("worker-0", WorkerStarted(Device("cpu:0"), 1))
    return made


def events_of(journal: Journal, tmp_path: Path) -> Sequence[Fact]:
    return plan_resume(journal.past, [], ResultStore(tmp_path)).events


def test_a_worker_whose_end_was_not_recorded_is_published_as_lost_with_what_it_held(
    journal: Journal, tmp_path: Path
) -> None:
    journal.record("worker-0", WorkStolen("cpu:0", "cpu:1", "a.fa", 2, 77))
    journal.record("worker-0", FileStarted("cpu:0", "a.fa", 2))
    lost = WorkerLost("cpu:0", "worker-0", 3, "the launcher has ended", "a.fa", 2, "cpu:1", 77)
    assert events_of(journal, tmp_path) == (lost,)
    journal.record("coordinator", lost)
    assert events_of(journal, tmp_path) == ()


def test_the_runs_host_is_that_of_its_first_session() -> None:
    past = RecordedRun()
    for epoch, host in enumerate(("node1", "node2"), 1):
        sequencer = Sequencer(ManualClock(), source="coordinator", run="run-7", epoch=epoch, host=host)
        past.apply([encode(sequencer.next_envelope(RunStarted("job", "off", (), 2, "s")))])
    assert (past.run, past.host) == ("run-7", "node1")


def test_epochs_continue_after_the_earlier_ones(journal: Journal, tmp_path: Path) -> None:
    resumption = plan_resume(journal.past, [], ResultStore(tmp_path))
    assert (resumption.last_epoch, resumption.last_worker_epoch) == (44, 3)
    assert journal.past.run == "run-7"


def test_what_was_completed_but_not_committed_does_not_count(journal: Journal, tmp_path: Path) -> None:
    journal.record("worker-0", FileCompleted("cpu:0", "a.fa", 1, 70, 1.0))
    (_, event) = events_of(journal, tmp_path)
    assert event == FileReopened("a.fa", "cpu:0", True, 70, NO_LONGER_INPUT)
    given = InputFile("a.fa", Path("/a.fa"), "a", 1, 1, False)
    (_, event) = plan_resume(journal.past, [given], ResultStore(tmp_path)).events
    assert event == FileReopened("a.fa", "cpu:0", True, 70, NOT_COMMITTED)


def test_what_had_failed_for_good_is_tried_again(journal: Journal, tmp_path: Path) -> None:
    journal.record("worker-0", FileFailed("cpu:0", "a.fa", 1, "bad", 1.0, False))
    assert len(events_of(journal, tmp_path)) == 1
    journal.record("worker-0", FileFailed("cpu:0", "a.fa", 2, "bad", 1.0, True))
    (_, event) = events_of(journal, tmp_path)
    assert event == FileReopened("a.fa", "cpu:0", False, 0, FAILED)
    journal.record("coordinator", event)
    assert len(events_of(journal, tmp_path)) == 1


def test_files_of_others_on_the_same_bus_are_not_the_runs(journal: Journal, tmp_path: Path) -> None:
    journal.record("pid-17", FileCompleted("cuda:0", "mine.fa", 0, 70, 1.0), epoch=10**18)
    assert len(events_of(journal, tmp_path)) == 1


# Which runs may be resumed


def opened(run_dir: Path, settings: str = SETTINGS, resume: bool = False, force: bool = False) -> PastRun | None:
    return open_past_run(run_dir, settings, run_dir / "log", resume=resume, force=force)


def test_an_empty_folder_begins_a_run_whatever_was_asked_for(tmp_path: Path) -> None:
    assert opened(tmp_path) is opened(tmp_path, resume=True) is opened(tmp_path, force=True) is None


def test_a_folder_that_holds_a_run_says_what_can_be_done(run_dir: Path) -> None:
    with pytest.raises(
        UserError, match=r"already holds a run \(run.vbus\).*--resume to continue it.*--force to remove"
    ):
        opened(run_dir)


def test_a_run_of_another_job_is_not_resumed(run_dir: Path) -> None:
    before = results(run_dir)
    with pytest.raises(UserError, match="a run of another job or with other job options"):
        opened(run_dir, settings="others", resume=True)
    assert results(run_dir) == before


# Shards


def begun(shard: Shard | None, files: Sequence[InputFile]) -> Journal:
    """The journal of a run that has planned these files."""
    made = Journal()
    made.record("coordinator", RunStarted("job", "off", (), len(files), SETTINGS, shard), epoch=44)
    for event in plan_events(cpus(1), [range(len(files))], InputFiles.of(files).planned):
        made.record("coordinator", event)
    return made


def resumed_shard(journal: Journal, name: ShardName, folder: Path) -> ResumePlan:
    share = share_of(find_inputs([folder / "in"], in_any_order=True).files, name)
    return plan_resume(
        journal.past, share.files, ResultStore(folder / "run"), shard=share.shard, others=share.others
    )


def test_each_shard_keeps_its_files_whatever_was_added_changed_or_removed(
    tmp_path: Path, inputs: Sequence[InputFile]
) -> None:
    names = ShardName(0, 2), ShardName(1, 2)
    shares = [share_of(inputs, name) for name in names]
    journals = [begun(share.shard, share.files) for share in shares]
    for share, journal, name in zip(shares, journals, names, strict=True):
        resumption = resumed_shard(journal, name, tmp_path)
        assert ({file.id for file in resumption.remaining}) == {file.id for file in share.files}
        assert (resumption.shard, resumption.notes) == (share.shard, ())

    (tmp_path / "in" / "added.fa").write_text(">added\n" + "ACGT" * 5_000)
    shares[0].files[0].path.write_text(">changed\n" + "ACGT" * 9_000)
    shares[1].files[0].path.unlink()
    for share, journal, name, gone in zip(shares, journals, names, (0, 1), strict=True):
        resumption = resumed_shard(journal, name, tmp_path)
        assert {file.id for file in resumption.remaining} == {file.id for file in share.files[gone:]}
        assert (resumption.shard, resumption.notes) == (share.shard, (INPUTS_OF_SHARDS_CHANGED,))


def shard(fields: tuple[int, int, str] | None) -> Shard | None:
    """The shard of this number, count and digest."""
    return fields and Shard(*fields[:2], 1, fields[2])


@pytest.mark.parametrize(
    ("held", "given", "why"),
    [
        ((0, 2, "i"), (1, 2, "i"), "a run of shard 0/2; give --shard 0/2, or choose another folder"),
        ((0, 2, "i"), (0, 3, "i"), "a run of shard 0/2; give --shard 0/2, or choose another folder"),
        ((0, 2, "i"), None, "a run of shard 0/2; give --shard 0/2, or choose another folder"),
        (None, (0, 2, "i"), "a run of all inputs; leave out --shard, or choose another folder"),
        ((0, 2, "i"), (0, 2, "of other inputs"), None),
    ],
)
def test_a_run_of_another_shard_is_not_resumed(
    tmp_path: Path, held: tuple[int, int, str] | None, given: tuple[int, int, str] | None, why: str | None
) -> None:
    write_capture(tmp_path / CAPTURE_NAME, begun(shard(held), input_files([1])).frames)
    with pytest.raises(UserError, match=f"holds {why}$") if why else nullcontext():
        open_past_run(tmp_path, SETTINGS, tmp_path / "log", shard=shard(given), resume=True, force=False)


def test_settings_are_the_job_and_its_options_in_any_order() -> None:
    assert settings_of("j", {"a": "1", "b": "2"}) == settings_of("j", {"b": "2", "a": "1"})
    assert len({settings_of("j", {}), settings_of("k", {}), settings_of("j", {"a": "1"})}) == 3


def test_force_removes_what_belongs_to_the_run_and_nothing_else(run_dir: Path) -> None:
    for name in ("log", "log.1", "log.9", SUMMARY_NAME, "mine"):
        (run_dir / name).write_bytes(SIGNATURE)
    (run_dir / "log.2").mkdir()
    (run_dir / "log.3").write_text("mine")
    (run_dir / "logs").mkdir()
    for name in ("two.fa.1.log", "two.fa.1~2.log", "mine.log"):
        (run_dir / "logs" / name).write_text("printed")
    assert opened(run_dir, force=True) is None
    assert sorted(os.listdir(run_dir)) == ["log.2", "log.3", "logs", "mine"]
    assert os.listdir(run_dir / "logs") == ["mine.log"]


def test_force_leaves_files_that_the_user_has_put_beside_results(run_dir: Path) -> None:
    for name in ("two.mine", "two.size/mine", "deep.fa/mine"):
        (run_dir / "results" / name).write_text("mine")
    assert opened(run_dir, force=True) is None
    assert results(run_dir) == dict.fromkeys(("two.mine", "two.size/mine", "deep.fa/mine"), b"mine")


def test_without_a_capture_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert opened(tmp_path, force=True) is None
    assert (tmp_path / "results").is_dir()
