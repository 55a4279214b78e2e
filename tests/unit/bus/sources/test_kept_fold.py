"""The fold that is kept beside a capture: it answers as the whole capture would, and for no other capture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import recorded
from tests.support.large_runs import large_run, write_large_run
from tests.support.paths import ROOT
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus import events as ev
from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.capture.info import capture_info
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.run_folder import FOLD_NAME, fold_path, remove_kept_fold
from virnucpro_bus.sources import kept_fold
from virnucpro_bus.sources.kept_fold import keep_fold, read_kept_fold, read_kept_info
from virnucpro_bus.sources.recording import load_fold, read_recording
from virnucpro_bus.testing import Script
from workers.whatif.recorded_run import make_recorded_run

FILES = 500
CAPTURES = ROOT / "tests" / "data" / "captures"


@pytest.fixture(autouse=True)
def of_short_captures_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_fold, "MIN_EVENTS", 0)


@pytest.fixture(scope="module")
def long_capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "run.vbus"
    write_large_run(path, large_run(FILES, 3, sample_seconds=60.0))
    return path


@pytest.fixture
def capture(long_capture: Path, tmp_path: Path) -> Path:
    """A capture of its own, of which the fold is kept."""
    path = Path(shutil.copy(long_capture, tmp_path))
    keep(path)
    assert fold_path(path).exists()
    return path


def keep(capture: Path) -> None:
    recording = read_recording(capture, SystemClock(), with_info=True)
    assert recording.info is not None
    keep_fold(capture, recording.info, recording.fleet, recording.ended_ns)


def simulated(fleet: Any) -> str:
    try:
        return repr(make_recorded_run(fleet))
    except UserError as error:
        return str(error)


def answers(capture: Path) -> list[str]:
    """All that commands print of a run, as they print it."""
    folded = load_fold(capture, SystemClock())
    fleet = folded.fleet
    found = [
        fleet.report(),
        fleet.get_effect(),
        fleet.effects_by_host(),
        fleet.failures(),
        fleet.attempts(),
        fleet.notices(),
        fleet.elapsed_seconds(),
        folded.warnings,
        folded.ending_note,
        read_kept_info(capture) or capture_info(capture),
        simulated(fleet),
    ]
    return [json.dumps(each) for each in found]


def assert_that_it_answers_alike(capture: Path) -> None:
    remove_kept_fold(capture)
    expected = answers(capture)
    keep(capture)
    assert read_kept_info(capture) is not None
    assert read_kept_fold(capture) is not None
    assert answers(capture) == expected


@pytest.mark.parametrize("name", ["resumed", "simulated"])
def test_it_answers_as_the_capture_of_a_real_run(tmp_path: Path, name: str) -> None:
    assert_that_it_answers_alike(Path(shutil.copy(CAPTURES / name / "run.vbus", tmp_path)))


def test_it_answers_as_a_long_capture_whether_that_is_compressed_or_not(capture: Path) -> None:
    assert_that_it_answers_alike(capture)
    compress_capture(capture)
    assert read_kept_fold(capture) is None
    assert_that_it_answers_alike(capture)


@given(run=made_runs(finished=True))
def test_it_answers_as_any_capture(tmp_path_factory: pytest.TempPathFactory, run: MadeRun) -> None:
    capture = tmp_path_factory.mktemp("made") / "run.vbus"
    recorded(capture, run.script.envelopes)
    assert_that_it_answers_alike(capture)


def assert_ignored_while(capture: Path, file: Path, content: bytes | bytearray) -> None:
    """The kept fold of `capture` counts for nothing while `file`, one of the two, has this content."""
    whole = file.read_bytes()
    try:
        file.write_bytes(content)
        assert read_kept_fold(capture) is None
        assert read_kept_info(capture) is None
    finally:
        file.write_bytes(whole)


@given(data=st.data())
def test_a_capture_of_which_any_byte_has_changed_is_read_itself(long_capture: Path, data: st.DataObject) -> None:
    if not fold_path(long_capture).exists():
        keep(long_capture)
    whole = long_capture.read_bytes()
    changed = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(["changed", "cut", "appended"])):
        case "changed":
            changed[at] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del changed[at:]
        case _:
            changed += whole[at : at + 100]
    assert_ignored_while(long_capture, long_capture, changed)
    assert read_kept_info(long_capture) is not None


@given(data=st.data())
def test_a_kept_fold_of_which_any_byte_has_changed_is_ignored(long_capture: Path, data: st.DataObject) -> None:
    if not fold_path(long_capture).exists():
        keep(long_capture)
    kept = fold_path(long_capture)
    whole = kept.read_bytes()
    changed = bytearray(whole)
    at = data.draw(st.one_of(st.integers(0, 400), st.integers(0, len(whole) - 1)))
    if data.draw(st.booleans()):
        changed[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del changed[at:]
    assert_ignored_while(long_capture, kept, changed)


def test_one_of_another_version_or_of_another_capture_is_ignored(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.vbus"
    recorded(other, Script().envelopes)
    shutil.copy(fold_path(capture), fold_path(other))
    assert read_kept_fold(other) is None
    monkeypatch.setattr(kept_fold, "_version", lambda: "0.0.1")
    assert read_kept_fold(capture) is None


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, Path.touch, lambda path: path.symlink_to(path)],
    ids=["a folder", "an empty file", "a link to itself"],
)
def test_what_is_in_its_place_is_ignored(capture: Path, make: Callable[[Path], object]) -> None:
    fold_path(capture).unlink()
    make(fold_path(capture))
    assert read_kept_fold(capture) is None
    assert load_fold(capture, SystemClock()).fleet.get_totals()["files_completed"] == FILES


def test_it_is_not_kept_of_a_run_that_is_not_over_of_damage_or_of_few_events(
    long_capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (ev.Device("cpu:0"),), 1))
    recorded(tmp_path / "unfinished.vbus", script.envelopes)
    (tmp_path / "damaged.vbus").write_bytes(long_capture.read_bytes() + b"x")
    for name in ("unfinished.vbus", "damaged.vbus"):
        keep(tmp_path / name)
    monkeypatch.undo()
    keep(Path(shutil.copy(CAPTURES / "resumed" / "run.vbus", tmp_path)))
    assert list(tmp_path.glob("*.fold")) == []


def test_a_folder_that_cannot_be_written_has_none_and_no_error(capture: Path) -> None:
    draft = fold_path(capture).with_name(f".{FOLD_NAME}.draft")
    draft.mkdir()
    keep(capture)
    assert not fold_path(capture).exists()


def test_gpu_figures_are_over_the_interval_that_is_asked_for(tmp_path: Path) -> None:
    script, gpu = Script(), ev.Device("GPU-0")
    script.say("coordinator", ev.RunStarted("job", "off", (gpu,), 0))
    for at in range(20):
        script.say("sampler", ev.GpuSampled(gpu, 5.0 * at), after_seconds=0.5)
    script.say("coordinator", ev.RunFinished(0, 0, 0))
    capture = tmp_path / "run.vbus"
    recorded(capture, script.envelopes)

    def loads() -> list[float | None]:
        fleets = [load_fold(capture, SystemClock(), interval_seconds=seconds).fleet for seconds in (2.0, 8.0)]
        return [fleet.get_gpu_utilization("GPU-0")["compute_percent"] for fleet in fleets]

    short, long = loads()
    keep(capture)
    assert read_kept_fold(capture) is not None
    assert loads() == [short, long]
    assert short != long
