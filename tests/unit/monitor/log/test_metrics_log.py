"""The metrics log: what stands in it, and what happens when it cannot be written."""

from __future__ import annotations

import csv
import re
import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.log.metrics_log import COLUMNS, MetricsLog
from tests.support.paths import DOCS
from tests.support.pictures import placed
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.health.rows import Row
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION
from virnucpro_bus.text import spreadsheet_safe, visible

DOCUMENT = DOCS / "metrics-log.md"

KNOWN: Row = (
    {
        "device_id": 0,
        "device_name": "NVIDIA RTX 4090",
        "queue_depth": 3,
        "files_completed": 31,
        "work_stolen_from": 1,
        "work_stolen_to": 2,
        "throughput": 12.34567,
        "last_update_time": 1.7e9,
        "uuid": "GPU-1",
        "host": "node1",
        "sequences": 3100,
        "files_failed": 0,
        "state": "busy",
        "current_file": "sample_17.fa",
        "seconds_since_done": 4.5,
        "current_file_percent": 63.0,
        "loading_seconds": 42.1234,
        "key": "GPU-1",
        "gpus": ["GPU-1"],
        "cpu_percent": 98.76543,
        "resident_bytes": 3_400_000_000,
        "read_bytes_per_second": 1_234_567.0,
        "worker": "worker-0",
    },
    {
        "compute_percent": 87.0,
        "memory_percent": 43.25,
        "temperature": 71.0,
        "power_watts": 312.5,
        "compute_max_percent": 99.0,
        "energy_joules": 1234.5678,
        "sample_age_seconds": 0.25,
        "simulated": True,
        "lost": False,
        "memory_used_bytes": 34_600_000_000,
        "memory_total_bytes": 80_000_000_000,
    },
)
UNKNOWN: Row = (
    {
        **KNOWN[0],
        "device_id": "cpu:0",
        "queue_depth": None,
        "throughput": None,
        "uuid": None,
        "current_file": None,
        "seconds_since_done": None,
        "current_file_percent": None,
        "loading_seconds": None,
        "cpu_percent": None,
        "resident_bytes": None,
        "read_bytes_per_second": None,
    },
    UNKNOWN_UTILIZATION,
)


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file, strict=True))


def test_the_first_five_columns_are_those_that_were_promised(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    MetricsLog(log, ManualClock()).write([KNOWN])
    header, row = read(log)
    assert header[:5] == ["timestamp", "gpu_id", "sequences_per_sec", "compute_percent", "memory_percent"]
    assert row[:5] == ["2023-11-14T22:13:20.000000Z", "0", "12.346", "87.0", "43.25"]


def test_every_field_of_a_device_is_in_its_row(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    MetricsLog(log, ManualClock()).write([KNOWN])
    row = dict(zip(*read(log), strict=True))
    assert row["work_stolen_from"] == "1"
    assert row["work_stolen_to"] == "2"
    assert row["power_watts"] == "312.5"
    assert (row["uuid"], row["state"], row["current_file"]) == ("GPU-1", "busy", "sample_17.fa")
    assert [row[name] for name in COLUMNS[18:24]] == ["99.0", "1234.568", "0.25", "", "true", "42.123"]
    assert [row[name] for name in COLUMNS[24:]] == ["98.765", "3400000000", "1234567.0"]


def test_where_several_runs_are_shown_a_row_names_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    MetricsLog(log, ManualClock()).write([placed(0, "node", "runs/first"), placed(0, "node", "runs/second")])
    assert [row[COLUMNS.index("run")] for row in read(log)] == ["run", "runs/first", "runs/second"]


def test_what_is_unknown_is_an_empty_cell(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    MetricsLog(log, ManualClock()).write([UNKNOWN])
    row = dict(zip(*read(log), strict=True))
    unknown = {name for name, cell in row.items() if cell == ""}
    assert unknown == {
        *("sequences_per_sec", "compute_percent", "memory_percent", "uuid", "queue_depth"),
        *("temperature", "power_watts", "current_file"),
        *("compute_max_percent", "energy_joules", "sample_age_seconds", "run", "simulated"),
        *("loading_seconds", "cpu_percent", "resident_bytes", "read_bytes_per_second"),
    }


def test_a_real_gpu_is_not_simulated(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    stale_row: Row = (KNOWN[0], {**UNKNOWN_UTILIZATION, "sample_age_seconds": 0.25})
    MetricsLog(log, ManualClock()).write([stale_row])
    row = dict(zip(*read(log), strict=True))
    assert (row["compute_percent"], row["sample_age_seconds"], row["simulated"]) == ("", "0.25", "false")


def test_a_log_that_would_be_too_long_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = MetricsLog(path, ManualClock(), rotate_bytes=1024)
    for _ in range(10):
        log.write([KNOWN])
    logs = sorted(tmp_path.iterdir())
    assert len(logs) > 1
    assert all(each.stat().st_size <= 1024 for each in logs)
    assert sum(len(read(each)) - 1 for each in logs) == 10


def test_lines_end_as_rfc_4180_requires(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    MetricsLog(log, ManualClock()).write([KNOWN])
    assert [line[-1:] for line in log.read_bytes().split(b"\n")[:-1]] == [b"\r", b"\r"]


def test_a_second_log_on_the_same_file_writes_no_second_header(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    for _ in range(2):
        MetricsLog(log, ManualClock()).write([KNOWN, UNKNOWN])
    assert [row[0] for row in read(log)].count("timestamp") == 1
    assert len(read(log)) == 5


def test_a_formula_in_a_file_name_is_disarmed_but_numbers_keep_their_sign(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    cold: Row = ({**KNOWN[0], "current_file": "=cmd()"}, {**KNOWN[1], "temperature": -3.0})
    MetricsLog(log, ManualClock()).write([cold])
    row = dict(zip(*read(log), strict=True))
    assert (row["current_file"], row["temperature"]) == ("'=cmd()", "-3.0")


TEXTS = ("current_file", "host", "device_name", "uuid")


@given(st.lists(st.tuples(*[st.text(st.characters())] * len(TEXTS)), max_size=4))
def test_any_text_comes_back_as_what_is_visible_of_it_and_each_device_has_one_line(
    tmp_path_factory: pytest.TempPathFactory, each: list[tuple[str, ...]]
) -> None:
    log = tmp_path_factory.mktemp("log") / "log.csv"
    rows: list[Row] = [({**KNOWN[0], **dict(zip(TEXTS, texts, strict=True))}, KNOWN[1]) for texts in each]  # type: ignore[typeddict-item]
    MetricsLog(log, ManualClock()).write(rows)
    assert log.read_bytes().count(b"\n") == len(each) + 1
    header, *found = read(log)
    places = [header.index(name) for name in TEXTS]
    assert [[row[place] for place in places] for row in found] == [
        [spreadsheet_safe(visible(text)) for text in texts] for texts in each
    ]


def test_pandas_reads_numbers_as_numbers_and_times_as_times(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed here; docs/metrics-log.md is not tried")
    log = tmp_path / "log.csv"
    na: Row = ({**UNKNOWN[0], "current_file": "NA"}, UNKNOWN[1])
    MetricsLog(log, ManualClock()).write([KNOWN, UNKNOWN, na])
    [recipe] = re.findall(r"^frame = (pandas.read_csv\(.*?^\))", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    frame = eval(recipe, {"pandas": pandas, "log": log})
    assert str(frame["timestamp"].dt.tz) == "UTC"
    assert frame["gpu_id"].tolist() == ["0", "cpu:0", "cpu:0"]
    for name in ("sequences_per_sec", "compute_percent", "memory_percent", "temperature", "energy_joules"):
        assert frame[name].dtype == "float64"
        assert frame[name].isna().tolist() == [False, True, True]
    assert frame["files_completed"].dtype == "int64"
    assert frame["current_file"].tolist()[0::2] == ["sample_17.fa", "NA"]
    assert frame["simulated"].tolist()[0]


def test_csv_reads_back_the_right_types(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    MetricsLog(log, ManualClock()).write([KNOWN])
    with log.open(newline="") as file:
        [row] = csv.DictReader(file)
    assert datetime.fromisoformat(row["timestamp"]) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    for name in ("sequences_per_sec", "compute_percent", "memory_percent", "energy_joules", "sample_age_seconds"):
        assert float(row[name]) >= 0
    for name in ("queue_depth", "files_completed", "files_failed", "sequences", "work_stolen_from"):
        assert int(row[name]) >= 0


def test_every_column_is_explained_in_the_document() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert tuple(explained) == COLUMNS


def test_a_full_disk_is_reported_and_tried_again() -> None:
    log = MetricsLog("/dev/full", ManualClock())
    log.write([KNOWN])
    assert log.problem is not None
    assert log.problem.text == "metrics log /dev/full: No space left on device; will try again"
    assert log.problem.brief == "metrics log: No space left on device; will try again"


def test_a_deleted_folder_is_reported_and_its_return_noticed(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "log.csv"
    log = MetricsLog(path, ManualClock())
    log.write([KNOWN])
    problem = log.problem
    assert problem is not None
    path.parent.mkdir()
    log.write([KNOWN])
    assert log.problem is None
    assert len(read(path)) == 2


@pytest.mark.parametrize("path", ["", "\0", "/"])
def test_a_path_that_cannot_be_a_file_is_reported(path: str) -> None:
    log = MetricsLog(path, ManualClock())
    log.write([KNOWN])
    assert log.problem is not None


def test_a_row_that_was_cut_off_stays_alone_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = MetricsLog(path, ManualClock())
    log.write([KNOWN])
    with path.open("ab") as file:
        file.write(b"2023-11-14T22:13:22")
    log.write([KNOWN])
    rows = read(path)
    assert rows[2] == ["2023-11-14T22:13:22"]
    assert rows[3] == rows[1]


@pytest.mark.parametrize("fits", [0, 1, 10, 300])
def test_when_the_space_ends_in_the_middle_of_a_write_nothing_partial_remains(tmp_path: Path, fits: int) -> None:
    path = tmp_path / "log.csv"
    log = MetricsLog(path, ManualClock())
    log.write([KNOWN])
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + fits, limits[1]))
    try:
        log.write([KNOWN, KNOWN, KNOWN])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert log.problem is not None
    log.write([KNOWN])
    assert [len(row) for row in read(path)] == [len(COLUMNS)] * 3
