"""The command `export`: its formats, what it writes where, and what it says of a capture."""

from __future__ import annotations

import csv
import gzip
import io
import json
import resource
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from tests.support.captures import write_capture
from tests.support.distributions import install_package
from tests.support.exported import exported_rows
from tests.support.paths import SCRIPTS
from tests.support.watched_files import watched
from virnucpro_bus import events as ev
from virnucpro_bus.cli import main as cli
from virnucpro_bus.cli.export import export
from virnucpro_bus.errors import UserError
from virnucpro_bus.tables.row_formats import cell
from virnucpro_bus.tables.rows import COLUMNS, ExportedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


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
    assert second[1:11] == ["node", "cpu:0", 'odd, "name"', "2", "3", "0.5", "", "", "", ""]


def test_json_lines_are_the_rows(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_capture(path, watched("a.fa", "b.fa").frames())
    assert exported(str(path.parent), "--format", "jsonl") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == exported_rows(path)


def test_a_file_whose_name_says_so_is_compressed(path: Path, tmp_path: Path) -> None:
    write_capture(path, watched("a.fa").frames())
    assert exported(str(path), "-o", str(tmp_path / "files.csv")) == 0
    assert exported(str(path), "-o", str(tmp_path / "files.csv.gz")) == 0
    assert gzip.decompress((tmp_path / "files.csv.gz").read_bytes()) == (tmp_path / "files.csv").read_bytes()


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
        capsys.readouterr().err == f"virnucpro-bus: {table}: already exists; choose another name, or add --force\n"
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
    assert told.err.endswith("bytes are damaged or cut off; the figures lack their events\n")


def test_events_that_were_not_recorded_and_records_that_hold_none_are_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = watched("a.fa")
    script.say("capture", ev.CaptureHole(12, 1000))
    write_capture(path, [*script.frames(), b"\xc1"])
    assert exported(str(path), "--format", "jsonl") == 0
    assert "frames that are not events (not-messagepack): 1" in (said := capsys.readouterr().err)
    assert "12 events were not recorded; the figures lack them" in said


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
    assert said.err == f"virnucpro-bus: {path}: contains no events\n"


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
    assert cell("=1+1\x1b[2J") == r"'=1+1\x1b[2J"
    assert (cell(-1.5), cell(True), cell(None)) == ("-1.5", "true", "")


# Formats of other packages.

EXAMPLE = SCRIPTS / "examples" / "tsv_exporter"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a package of one module, whose FORMAT is an export format."""

    def install(name: str, source: str, form: str = "other") -> None:
        install_package(tmp_path / "site", name, source, {"virnucpro_bus.exporters": {form: f"{name}:FORMAT"}})
        monkeypatch.syspath_prepend(tmp_path / "site")
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


MAKES = """
from virnucpro_bus.exporters import Document, Exporter
FORMAT = Exporter("of a test", lambda recordings, options: {documents}, {more})
"""


def test_the_example_of_a_package_with_a_format_is_found_and_used(
    path: Path, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    declared = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared == {"virnucpro_bus.exporters": {"tsv": "tsv_exporter:TSV"}}
    install("tsv_exporter", (EXAMPLE / "tsv_exporter.py").read_text() + "\nFORMAT = TSV\n", "tsv")
    write_capture(path, watched("a.fa", "=b\t.fa").frames())
    assert exported(str(path), "--format", "tsv", "--sort", "-ended", "--top", "1") == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t")[::3] == [r"'=b\x09.fa", "2.0 s"]
    assert exported("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "tsv file, device, start and duration with tabs between (of the package tsv_exporter)" in shown


def test_a_format_that_cannot_be_imported_is_one_line_and_does_not_harm_the_others(
    path: Path, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("broken", "raise ValueError('no\\nway')\n")
    write_capture(path, watched("a.fa").frames())
    assert exported(str(path), "--format", "other") == 2
    assert capsys.readouterr().err == (
        "virnucpro-bus: --format other: cannot be imported (broken, broken:FORMAT): ValueError: no\\x0away\n"
    )
    assert exported(str(path)) == 0
    assert exported("--help") == 0
    assert "cannot be imported (broken, broken:FORMAT)" in " ".join(capsys.readouterr().out.split())


def test_another_package_does_not_replace_a_format_of_this_one(
    path: Path, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("greedy", "raise ValueError\n", "csv")
    write_capture(path, watched("a.fa").frames())
    assert exported(str(path)) == 0
    assert capsys.readouterr().out.startswith("ended,")


def test_an_unknown_format_is_one_line_with_those_that_are_installed(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(str(path), "--format", "xlsx") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "'xlsx' is not installed; known are chrome-trace, csv, jsonl, " in said


def test_only_tables_take_the_options_of_tables(
    path: Path, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("blob", MAKES.format(documents="[Document('', [b'x'])]", more=""))
    write_capture(path, watched("a.fa").frames())
    assert exported(str(path), "--format", "other", "--top", "3") == 2
    assert "is not a table" in capsys.readouterr().err


def test_a_format_of_several_files_writes_them_into_a_folder_beside_what_is_there(
    path: Path, tmp_path: Path, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("many", MAKES.format(documents="[Document(n, [b'1', b'2']) for n in 'ab']", more="makes_folder=True"))
    write_capture(path, watched("a.fa").frames())
    folder = tmp_path / "out"
    assert exported(str(path), "--format", "other") == 2
    assert exported(str(path), "--format", "other", "-o", str(folder)) == 0
    (folder / "c").touch()
    (folder / "a").write_text("changed")
    assert exported(str(path), "--format", "other", "-o", str(folder)) == 2
    assert (folder / "a").read_text() == "changed"
    assert exported(str(path), "--format", "other", "-o", str(folder), "-f") == 0
    assert {each.name: each.read_text() for each in folder.iterdir()} == {"a": "12", "b": "12", "c": ""}


@pytest.mark.parametrize("name", ["", "../x", "/tmp/x", "a/b", ".", "..", ".hidden", "a\x1b", "a\n"])
def test_a_format_cannot_write_beside_its_folder(
    path: Path, tmp_path: Path, install: Callable[..., None], name: str
) -> None:
    install("evil", MAKES.format(documents=f"[Document({name!r}, [b'x'])]", more="makes_folder=True"))
    write_capture(path, watched("a.fa").frames())
    before = sorted(tmp_path.rglob("*"))
    assert exported(str(path), "--format", "other", "-o", str(tmp_path / "out")) == 2
    assert [each for each in sorted(tmp_path.rglob("*")) if "__pycache__" not in str(each)] == before


def test_with_force_a_file_is_replaced(path: Path, tmp_path: Path) -> None:
    write_capture(path, watched("a.fa").frames())
    table = tmp_path / "files.csv"
    table.write_text("old")
    assert exported(str(path), "-o", str(table), "--force") == 0
    assert table.read_text().startswith("ended,")


def test_the_shell_completes_formats_and_columns() -> None:
    completer = ShellComplete(export, {}, "export", "_COMPLETE")
    assert {each.value for each in completer.get_completions(["--format"], "")} >= {"csv", "jsonl"}
    assert [each.value for each in completer.get_completions(["--sort"], "dur")] == ["duration_seconds"]


def test_a_terminal_gets_no_binary_format(
    path: Path, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("blob", MAKES.format(documents="[Document('', [b'x'])]", more="is_binary=True"))
    write_capture(path, watched("a.fa").frames())
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(UserError, match="is binary, and no terminal can show it; name a file: -o FILE"):
        export.main([str(path), "--format", "other"], standalone_mode=False)
