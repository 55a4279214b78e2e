"""The table of files: every completion of a capture, exactly once, with what its GPU did meanwhile."""

from __future__ import annotations

import csv
import io
import json
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import write_capture
from virnucpro_bus import events as ev
from virnucpro_bus.cli import main as cli
from virnucpro_bus.cli.export import COLUMNS, _cell
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.sources.file_table import ExportedFile, FileTable
from virnucpro_bus.testing import Script

GPU = Device("GPU-a", "A100", 0)


def look(script: Script, percent: float | None, memory: int | None, joules: int | None, **more: Any) -> None:
    energy = None if joules is None else 1000 * joules
    sample = ev.GpuSampled(GPU, percent, memory_used_bytes=memory, energy_millijoules=energy, **more)
    script.say("sampler", sample, after_seconds=0.5)


def watched(*files: str) -> Script:
    """Each file takes two seconds, in which the GPU is looked at four times."""
    script = Script()
    look(script, 0, 1, 0)
    for at, file in enumerate(files):
        for part in range(4):
            look(script, 10 * at + part, 100 + at, 50 * (4 * at + part + 1))
        script.say("w0", ev.FileCompleted("GPU-a", file, 1, 7, 2.0))
    return script


def rows(path: Path, frames: list[bytes]) -> list[ExportedFile]:
    write_capture(path, frames)
    return list(FileTable(path).rows())


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
    folder = tmp_path_factory.mktemp("captures")
    shuffled = rows(folder / "shuffled.vbus", data.draw(st.permutations(frames + again)))
    assert shuffled == rows(folder / "in-order.vbus", frames)


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


# The command.


def exported(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_csv_is_a_header_and_a_row_a_file_with_empty_cells_for_what_is_unknown(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = watched("a.fa")
    script.say("w1", ev.FileCompleted("cpu:0", 'odd, "name"', 2, 3, 0.5), after_seconds=1)
    write_capture(path, script.frames())
    assert exported(str(path)) == 0
    text = capsys.readouterr().out
    header, first, second = csv.reader(io.StringIO(text, newline=""))
    assert text.count("\r\n") == 3
    assert tuple(header) == COLUMNS == tuple(ExportedFile.__annotations__)
    assert dict(zip(header, first, strict=True))["energy_joules"] == "200.0"
    assert second[1:] == ["node", "cpu:0", 'odd, "name"', "2", "3", "0.5", "", "", "", ""]


def test_json_lines_are_the_rows(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_capture(path, watched("a.fa", "b.fa").frames())
    assert exported(str(path.parent), "--format", "jsonl") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == list(FileTable(path).rows())


def test_it_writes_a_new_file_and_leaves_one_that_is_there_alone(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_capture(path, watched("a.fa").frames())
    table = tmp_path / "files.csv"
    assert exported(str(path), "-o", str(table)) == 0
    written = table.read_bytes()
    assert written.count(b"\r\n") == 2
    assert exported(str(path), "-o", str(table)) == 2
    assert (
        capsys.readouterr().err
        == f"virnucpro-bus: {table}: already exists; choose another name, or remove it first\n"
    )
    assert table.read_bytes() == written


@pytest.mark.parametrize("cut_bytes", [1, 30])
def test_a_capture_that_was_cut_off_is_read_as_far_as_it_goes_and_that_is_said(
    path: Path, capsys: pytest.CaptureFixture[str], cut_bytes: int
) -> None:
    write_capture(path, watched("a.fa", "b.fa").frames())
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    assert exported(str(path), "--format", "jsonl") == 0
    told = capsys.readouterr()
    assert [json.loads(line)["file"] for line in told.out.splitlines()] == ["a.fa"]
    assert told.err.startswith(f"virnucpro-bus: {path}: ")
    assert told.err.endswith("bytes are damaged or cut off; the table lacks their events\n")


def test_events_that_were_not_recorded_and_records_that_hold_none_are_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = watched("a.fa")
    script.say("capture", ev.CaptureHole(12, 1000))
    write_capture(path, [*script.frames(), b"\xc1"])
    assert exported(str(path), "--format", "jsonl") == 0
    assert "1 records are not events" in (said := capsys.readouterr().err)
    assert "12 events were not recorded" in said


@pytest.mark.parametrize("target", ["nothing-here", "no-capture"])
def test_what_is_no_capture_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    (tmp_path / "no-capture").write_text("nothing")
    assert exported(str(tmp_path / target)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_of_a_capture_that_holds_no_event_the_table_is_empty_and_that_is_said(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.touch()
    assert exported(str(path)) == 0
    said = capsys.readouterr()
    assert said.out == f"{','.join(COLUMNS)}\r\n"
    assert said.err == f"virnucpro-bus: {path}: contains no events; the table is empty\n"


def test_a_table_that_the_disk_has_no_room_for_leaves_no_half_of_it(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_capture(path, watched(*"abcdefgh").frames())
    table, limits = tmp_path / "files.csv", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        assert exported(str(path), "-o", str(table)) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().err == f"virnucpro-bus: {table}: cannot be written: File too large\n"
    assert not table.exists()


def test_no_name_can_drive_a_terminal_or_a_spreadsheet() -> None:
    assert _cell("=1+1\x1b[2J") == r"'=1+1\x1b[2J"
    assert (_cell(-1.5), _cell(True), _cell(None)) == ("-1.5", "true", "")
