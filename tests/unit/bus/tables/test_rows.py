"""The rows of an export: every completion of a capture once, with what its GPU did; attempts; order; runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import write_capture
from tests.support.exported import exported_rows
from tests.support.layouts import complete_files, laid_out
from tests.support.watched_files import GPU, look, watched
from virnucpro_bus import events as ev
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.tables.rows import COLUMNS, ExportedFile
from virnucpro_bus.testing import Script

FEW = ("file", "outcome", "reason", "sequences", "duration_seconds", "ended")


def rows(path: Path, frames: list[bytes]) -> list[ExportedFile]:
    write_capture(path, frames)
    return exported_rows(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def test_a_file_has_the_mean_the_peak_and_the_energy_of_exactly_its_time(path: Path) -> None:
    script = watched("a.fa", "b.fa")
    first, second = rows(path, script.frames())
    # Each look counts for the time around it: at the moment of one file's end and the other's begin for both.
    assert (first["compute_percent"], second["compute_percent"]) == (1.125, 10.25)
    assert (first["memory_peak_bytes"], second["memory_peak_bytes"]) == (100, 101)
    assert (first["energy_joules"], second["energy_joules"]) == (200.0, 200.0)
    assert second["ended"] == iso_utc(script.clock.wall_ns())
    told = {key: first[key] for key in ("host", "device", "file", "attempt", "sequences", "duration_seconds")}
    assert list(told.values()) == ["node", "GPU-a", "a.fa", 1, 7, 2.0]
    assert first["simulated"] is False


@given(data=st.data())
def test_in_any_order_and_twice_the_table_is_the_same(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames = watched("a.fa", "b.fa", "c.fa").frames()
    again = data.draw(st.lists(st.sampled_from(frames), max_size=5))
    path = tmp_path_factory.mktemp("captures") / "run.vbus"
    shuffled = rows(path, data.draw(st.permutations(frames + again)))
    path.unlink()
    assert shuffled == rows(path, frames)


def test_without_any_sample_the_figures_are_unknown(path: Path) -> None:
    script = Script()
    script.say("w0", ev.FileCompleted("cpu:0", "a.fa", 0, 7, 2.0))
    (row,) = rows(path, script.frames())
    figures = ("compute_percent", "memory_peak_bytes", "energy_joules", "simulated")
    assert [row[figure] for figure in figures] == [None] * 4  # type: ignore[literal-required]


def test_made_up_figures_are_marked(path: Path) -> None:
    script = Script()
    look(script, 50, 1, 1, simulated=True)
    script.say("w0", ev.FileCompleted("GPU-a", "a.fa", 1, 7, 0.1))
    assert rows(path, script.frames())[0]["simulated"] is True


def test_samples_of_before_the_host_was_started_anew_do_not_count(path: Path) -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (GPU,), 2))
    before = script.clock.mono
    for _ in range(10):
        look(script, 90, 9, 9)
    script.clock.advance(3600)
    script.clock.mono = before
    script.say("coordinator", ev.RunStarted("job", "off", (GPU,), 2), epoch=2)
    script.say("w0", ev.FileCompleted("GPU-a", "b.fa", 1, 7, 2.0), after_seconds=4)
    (row,) = rows(path, script.frames())
    assert row["compute_percent"] is None


# Other attempts.


def eventful() -> Script:
    """a.fa is completed, b.fa fails and is completed by a thief, c.fa kills its worker, d.fa is in progress."""
    script = Script(run="run-7")
    script.say("coordinator", ev.RunStarted("job", "cost", (GPU,), 4))
    script.say("coordinator", ev.FilesAssigned("GPU-a", tuple(ev.PlannedFile(f"{x}.fa", 10, 1) for x in "abcd")))
    script.say("w0", ev.FileStarted("GPU-a", "a.fa", 1))
    script.say("w0", ev.FileCompleted("GPU-a", "a.fa", 1, 8, 2.0), after_seconds=2)
    script.say("w0", ev.FileStarted("GPU-a", "b.fa", 1))
    script.say("w0", ev.FileFailed("GPU-a", "b.fa", 1, "no header", 1.0, final=False), after_seconds=1)
    script.say("w1", ev.WorkStolen("cpu:1", "GPU-a", "b.fa", 2, script.clock.wall_ns()))
    script.say("w1", ev.FileStarted("cpu:1", "b.fa", 2))
    script.say("w1", ev.FileCompleted("cpu:1", "b.fa", 2, 3, 4.0), after_seconds=4)
    script.say("w1", ev.FileStarted("cpu:1", "c.fa", 1))
    script.say("coordinator", ev.WorkerLost("cpu:1", "w1", 1, "killed", "c.fa", 1), after_seconds=0.5)
    script.say("w0", ev.FileStarted("GPU-a", "d.fa", 1))
    return script


def test_by_default_only_completions_have_rows_with_where_they_were_stolen_from(path: Path) -> None:
    first, second = rows(path, eventful().frames())
    assert [(row["file"], row["stolen_from"], row["size_bytes"]) for row in (first, second)] == [
        ("a.fa", None, 10),
        ("b.fa", "GPU-a", 10),
    ]
    assert (first["run"], first["device_index"], first["device_name"]) == ("run-7", 0, "A100")
    assert (first["sequences_per_second"], first["started"]) == (4.0, iso_utc(1_700_000_000 * 10**9))


def test_with_attempts_failed_lost_and_running_ones_have_rows_in_which_what_is_unknown_is_none(path: Path) -> None:
    script = eventful()
    write_capture(path, script.frames())
    found = [tuple(row[name] for name in FEW[:5]) for row in exported_rows(path, attempts=True)]  # type: ignore[literal-required]
    assert found == [
        ("a.fa", "completed", None, 8, 2.0),
        ("b.fa", "failed", "no header", None, 1.0),
        ("b.fa", "completed", None, 3, 4.0),
        ("c.fa", "lost", "killed", None, 0.5),
        ("d.fa", "broken off", None, None, None),
    ]
    *_, lost, running = exported_rows(path, attempts=True)
    assert lost["ended"] == iso_utc(script.clock.wall_ns())
    assert (running["ended"], running["started"]) == (None, iso_utc(script.clock.wall_ns()))


def test_a_rate_or_a_start_that_no_number_and_no_date_can_hold_is_unknown(path: Path) -> None:
    script = Script()
    script.say("w0", ev.FileCompleted("cpu:0", "quick.fa", 1, 2**62, 5e-324))
    script.say("w0", ev.FileCompleted("cpu:0", "slow.fa", 1, 7, 1e12))
    quick, slow = rows(path, script.frames())
    assert (quick["sequences_per_second"], slow["started"]) == (None, None)


# Order.


@pytest.mark.parametrize(
    ("sort", "files"),
    [
        ("duration_seconds", ["c.fa", "b.fa", "a.fa", "b.fa", "d.fa"]),
        ("-duration_seconds", ["b.fa", "a.fa", "b.fa", "c.fa", "d.fa"]),
        ("-sequences", ["a.fa", "b.fa", "b.fa", "c.fa", "d.fa"]),
        ("-host", ["a.fa", "b.fa", "b.fa", "c.fa", "d.fa"]),
    ],
)
def test_rows_are_sorted_by_a_column_unknown_values_last_and_equal_ones_by_their_end(
    path: Path, sort: str, files: list[str]
) -> None:
    write_capture(path, eventful().frames())
    assert [row["file"] for row in exported_rows(path, sort=sort, attempts=True)] == files


@given(data=st.data())
def test_the_top_rows_are_the_first_of_all(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("top") / "run.vbus"
    write_capture(path, eventful().frames())
    sort = data.draw(st.sampled_from(["", "-"])) + data.draw(st.sampled_from(COLUMNS))
    top = data.draw(st.integers(1, 7))
    every = exported_rows(path, sort=sort, attempts=True)
    assert exported_rows(path, sort=sort, top=top, attempts=True) == every[:top]


def test_a_column_that_does_not_exist_is_refused_with_those_that_do(path: Path) -> None:
    write_capture(path, [])
    with pytest.raises(UserError, match=r"--sort speed: is not a column; the columns are ended, host, .*"):
        exported_rows(path, sort="speed")


# Several runs.


def test_rows_of_several_runs_have_the_name_of_theirs_or_the_path_where_names_are_equal(
    tmp_path: Path,
) -> None:
    paths = [tmp_path / name for name in ("one.vbus", "two.vbus", "three.vbus")]
    for at, run in enumerate(["run-7", "same", "same"]):
        script = Script(run=run)
        script.say("coordinator", ev.RunStarted("job", "off", (GPU,), 1), after_seconds=at)
        script.say("w0", ev.FileCompleted("GPU-a", f"{at}.fa", 1, 7, 2.0))
        write_capture(paths[at], script.frames())
    found = [(row["file"], row["run"]) for row in exported_rows(*reversed(paths))]
    assert found == [("0.fa", "run-7"), ("1.fa", str(paths[1])), ("2.fa", str(paths[2]))]


def test_where_no_run_was_announced_the_run_is_the_path_of_the_capture(path: Path) -> None:
    (row,) = rows(path, watched("a.fa").frames())
    assert row["run"] == str(path)


def test_a_file_has_the_figures_of_all_gpus_of_its_device(path: Path) -> None:
    shared, other, joined = rows(path, complete_files(laid_out()).frames())
    names = ("device", "device_index", "compute_percent", "memory_peak_bytes", "energy_joules", "simulated")
    figures = [[row[name] for name in names] for row in (shared, other, joined)]  # type: ignore[literal-required]
    assert figures == [
        ["GPU-a#0", 0, 90.0, 1, 4.0, False],
        ["GPU-a#1", 0, 90.0, 1, 4.0, False],
        ["GPU-b+GPU-c", 1, 30.0, 2, 8.0, False],
    ]


def test_a_gpu_is_not_taken_for_a_device_whose_key_begins_with_its_uuid(path: Path) -> None:
    script = complete_files(laid_out())
    script.say("own", ev.WorkerStarted(Device("GPU-b", "H100", 1), 9))
    script.say("own", ev.FileCompleted("GPU-b", "own.fa", 1, 1, 1.0), after_seconds=1)
    last = rows(path, script.frames())[-1]
    assert (last["device"], last["device_name"]) == ("GPU-b", "H100")
