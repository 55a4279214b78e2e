"""The dashboard's life: what it draws where, and that no fault of others ends it or spoils the terminal."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import IO

import pyte
import pytest
from rich.console import Console

from monitor.dashboard import LoadBalancingDashboard
from monitor.look import Look
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization, StealEvent, Totals

# In a process of its own: the dashboard on whatever its standard output is, until a line comes in.
DRIVER = """
import sys
sys.path.insert(0, {here!r})
from test_dashboard import Gpus, Work
from monitor.dashboard import LoadBalancingDashboard
dashboard = LoadBalancingDashboard(Work(), Gpus(), 0.02, {log!r}, title="a run")
dashboard.start()
sys.stdin.readline()
"""
STOP = "dashboard.stop()\ndashboard.stop()\n"


class Work:
    """Two devices; `fault`, when set, is raised by the next question."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.asked = Event()
        self.queue_depth = 3
        self.completed = 4

    def row(self, device: int | str, uuid: str | None) -> GpuMetrics:
        return {
            "device_id": device,
            "device_name": "NVIDIA RTX 4090",
            "queue_depth": self.queue_depth,
            "files_completed": self.completed,
            "work_stolen_from": 0,
            "work_stolen_to": 1,
            "throughput": 12.3,
            "last_update_time": None,
            "uuid": uuid,
            "host": "node1",
            "sequences": 400,
            "files_failed": 0,
            "state": "busy",
            "current_file": "sample_1.fa",
        }

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        self.asked.set()
        if self.fault is not None:
            raise self.fault
        return [self.row(0, "GPU-1"), self.row("cpu:0", None)]

    def get_recent_steal_events(self) -> list[StealEvent]:
        stolen = "\x1b[2Jsample_2.fa"
        return [{"timestamp": 1.7e9, "source_gpu": 0, "dest_gpu": "cpu:0", "file_name": stolen, "host": "node1"}]

    def get_totals(self) -> Totals:
        return {
            "files_total": 20,
            "files_completed": 2 * self.completed,
            "files_failed": 0,
            "sequences": 800,
            "steals": 1,
            "events_published": 10,
            "events_received": 10,
            "events_lost": 0,
        }


class Replay(Work):
    """A source that knows the run's own time."""

    def elapsed_seconds(self) -> float | None:
        return 60.0


class Gpus:
    """Knows the GPU by UUID alone; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked_for: list[int | str] = []

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        self.asked_for.append(device_id)
        if device_id != "GPU-1":
            return UNKNOWN_UTILIZATION
        figures = {"compute_percent": 87.0, "memory_percent": 43.0, "temperature": 70.0, "power_watts": 300.0}
        return {**UNKNOWN_UTILIZATION, **figures, "sample_age_seconds": 0.4}  # type: ignore[typeddict-item]


class BrokenGpus:
    """A driver that fails for everything."""

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        raise RuntimeError(f"no {device_id}")


@pytest.fixture
def make() -> Iterator[Callable[..., LoadBalancingDashboard]]:
    """Makes dashboards that write plain lines to `.output`, and stops them."""
    made: list[LoadBalancingDashboard] = []

    def make_one(work: Work, gpus: object = None, **options: object) -> LoadBalancingDashboard:
        options = {"log_file": None, "console": Console(file=io.StringIO()), "clock": ManualClock()} | options
        dashboard = LoadBalancingDashboard(work, gpus or Gpus(), **options)  # type: ignore[arg-type]
        made.append(dashboard)
        return dashboard

    yield make_one
    for dashboard in made:
        dashboard.stop()


Make = Callable[..., LoadBalancingDashboard]


class Reports(io.StringIO):
    """A text file that says when it was written to often enough, and fails when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self.written = Event()
        self.wanted = 1
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        self.lines += 1
        if self.lines >= self.wanted:
            self.written.set()
        if self.fault is not None:
            raise self.fault
        return super().write(text)


@pytest.mark.parametrize("interval", [0, -1.0, float("nan"), float("inf")])
def test_an_interval_that_is_no_time_is_refused(interval: float) -> None:
    with pytest.raises(UserError, match="must be more than 0 seconds"):
        LoadBalancingDashboard(Work(), Gpus(), interval)


def test_a_gpu_is_looked_up_by_uuid_and_another_device_by_its_id(make: Make) -> None:
    gpus = Gpus()
    rows = make(Work(), gpus)._collect_metrics().rows
    assert gpus.asked_for == ["GPU-1", "cpu:0"]
    assert [utilization["compute_percent"] for _, utilization in rows] == [87.0, None]


def test_what_a_source_does_not_tell_is_unknown(make: Make) -> None:
    class FourFigures:
        """As a program may have it that knows of no others."""

        def get_gpu_utilization(self, device_id: int | str) -> dict[str, float]:
            return {"compute_percent": 12.0, "memory_percent": 3.0, "temperature": 40.0, "power_watts": 90.0}

    dashboard = make(Work(), FourFigures())
    (_, utilization), _ = dashboard._collect_metrics().rows
    assert utilization == UNKNOWN_UTILIZATION | FourFigures().get_gpu_utilization("GPU-1")


def test_a_driver_that_fails_leaves_the_figures_unknown_and_says_so(make: Make) -> None:
    snapshot = make(Work(), BrokenGpus())._collect_metrics()
    assert [utilization for _, utilization in snapshot.rows] == [UNKNOWN_UTILIZATION] * 2
    assert snapshot.health == ("dashboard: 2 failures, the last: RuntimeError: no cpu:0",)


def test_time_counts_from_start_when_the_source_does_not_know_it(make: Make) -> None:
    clock = ManualClock()
    dashboard = make(Work(), clock=clock, update_interval=600.0)
    assert dashboard._collect_metrics().elapsed_seconds is None
    dashboard.start()
    clock.advance(30.0)
    snapshot = dashboard._collect_metrics()
    assert (snapshot.elapsed_seconds, snapshot.eta_seconds) == (30.0, 12 * 30.0 / 8)


def test_a_source_that_knows_the_time_of_the_run_is_believed(make: Make) -> None:
    assert make(Replay())._collect_metrics().elapsed_seconds == 60.0


def test_a_device_that_completes_nothing_for_300_s_is_told_as_stalled(make: Make) -> None:
    clock = ManualClock()
    dashboard = make(Work(), clock=clock, update_interval=600.0)
    dashboard.start()
    dashboard._collect_metrics()
    clock.advance(300.0)
    assert dashboard._collect_metrics().health[0] == (
        "stalled: GPU 0 has 3 files waiting and has completed none for 300 s"
    )


def test_a_source_that_fails_leaves_the_last_figures_on_screen_with_a_word(make: Make) -> None:
    work, output = Work(), Reports()
    dashboard = make(work, console=Console(file=output), update_interval=0.001)
    dashboard.start()
    assert output.written.wait(10)
    work.fault = RuntimeError("boom")
    output.written.clear()
    output.wanted = output.lines + 3
    assert output.written.wait(10)
    dashboard.stop()
    last = output.getvalue().splitlines()[-1]
    assert "GPU 0 87% 12.3/s q3" in last
    assert "the last: RuntimeError: boom" in last


def test_the_dashboard_outlives_a_disk_that_was_full_for_a_while(make: Make) -> None:
    output = Reports()
    output.fault, output.wanted = OSError(28, "No space left on device"), 3
    dashboard = make(Work(), console=Console(file=output), update_interval=0.001)
    dashboard.start()
    assert output.written.wait(10)
    output.fault = None
    dashboard.stop()
    assert "No space left on device" in output.getvalue()


def test_when_the_reader_is_gone_it_goes_on_without_drawing(make: Make, tmp_path: Path) -> None:
    output, work, log = Reports(), Work(), tmp_path / "log.csv"
    output.fault = BrokenPipeError(32, "Broken pipe")
    dashboard = make(work, console=Console(file=output), update_interval=0.001, log_file=log)
    dashboard.start()
    assert output.written.wait(10)
    for _ in range(3):
        work.asked.clear()
        assert work.asked.wait(10)
    dashboard.stop()
    assert output.lines == 1
    assert len(log.read_text().splitlines()) > 6


def test_headless_it_writes_the_log_and_nothing_else(make: Make, tmp_path: Path) -> None:
    output, log = Reports(), tmp_path / "log.csv"
    with make(Work(), console=Console(file=output), draw=False, log_file=log, update_interval=600.0):
        pass
    assert output.lines == 0
    with log.open(newline="") as file:
        assert {row["gpu_id"] for row in csv.DictReader(file)} == {"0", "cpu:0"}


def test_of_the_devices_asked_for_those_that_were_never_there_are_told(make: Make, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    dashboard = make(Work(), log_file=log, look=Look(devices=frozenset({"CPU:0", "7"})))
    snapshot = dashboard._collect_metrics()
    assert snapshot.health == ("no device fits 7",)
    dashboard._log_metrics(snapshot)
    with log.open(newline="") as file:
        assert [row["gpu_id"] for row in csv.DictReader(file)] == ["cpu:0"]


def test_a_device_that_comes_and_goes_again_is_not_called_absent(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    dashboard = make(work, look=Look(devices=frozenset({"0"})))
    for rows in ([], [work.row(0, "GPU-1")], []):
        monkeypatch.setattr(work, "get_gpu_metrics", lambda rows=rows: rows)
        health = dashboard._collect_metrics().health
    assert health == ()


def test_a_source_that_knows_all_gpus_at_once_is_asked_for_them_at_once(make: Make) -> None:
    class Fleet(Gpus):
        def get_gpu_utilizations(self) -> dict[str, GpuUtilization]:
            return {"GPU-1": {**UNKNOWN_UTILIZATION, "compute_percent": 12.0}}

    gpus = Fleet()
    rows = make(Work(), gpus)._collect_metrics().rows
    assert [utilization["compute_percent"] for _, utilization in rows] == [12.0, None]
    assert gpus.asked_for == []


def test_looks_that_cost_much_are_taken_less_often(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = iter(range(0, 10**12, 10**8))  # a tenth of a second of CPU time each
    monkeypatch.setattr("monitor.dashboard.thread_cpu_ns", lambda: next(costs))
    output = Reports()
    dashboard = make(Work(), console=Console(file=output), update_interval=0.001)
    waits: list[float] = []

    def attend(seconds: float) -> None:
        waits.append(seconds)
        dashboard._stopping.set()

    monkeypatch.setattr(dashboard, "_attend", attend)
    dashboard._update_loop()
    assert waits == [pytest.approx(0.1 / 0.05)]


def test_trouble_with_the_log_is_shown(make: Make) -> None:
    dashboard = make(Work(), log_file="/dev/full")
    dashboard._log_metrics(dashboard._collect_metrics())
    assert dashboard._collect_metrics().health == (
        "metrics log /dev/full: No space left on device; will try again",
    )


def test_start_and_stop_may_be_called_twice_and_again(make: Make) -> None:
    output = Reports()
    dashboard = make(Work(), console=Console(file=output), update_interval=600.0)
    for _ in range(2):
        dashboard.start()
        dashboard.start()
        dashboard.stop()
        dashboard.stop()
    assert 2 <= len(output.getvalue().splitlines()) <= 4


def test_a_source_that_never_answers_does_not_keep_stop_from_returning(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, work, output = Event(), Work(), Reports()
    monkeypatch.setattr(work, "get_totals", lambda: answer.wait() and Work().get_totals())
    monkeypatch.setattr("monitor.dashboard.STOP_WITHIN_SECONDS", 0.01)
    dashboard = make(work, console=Console(file=output))
    dashboard.start()
    assert work.asked.wait(10)
    dashboard.stop()
    answer.set()
    assert len(output.getvalue().splitlines()) == 1


def test_a_name_that_the_output_cannot_encode_is_written_out(make: Make) -> None:
    raw = io.BytesIO()
    work = Work()
    work.fault = RuntimeError("é試")
    dashboard = make(work, console=Console(file=io.TextIOWrapper(raw, "latin-1")), update_interval=600.0)
    dashboard.start()
    dashboard.stop()
    assert rb"RuntimeError: " + "é".encode("latin-1") + rb"\u8a66" in raw.getvalue()


def test_the_table_is_cropped_to_the_console(make: Make) -> None:
    console = Console(file=io.StringIO(), width=60, height=6)
    dashboard = make(Work(), console=console)
    console.print(dashboard._generate_table(dashboard._collect_metrics()))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 6
    assert max(map(len, lines)) <= 60
    assert lines[3].strip().startswith("no room for 2 rows")


def test_shown_once_off_a_terminal_the_whole_table_is_plain_text(make: Make) -> None:
    output = Reports()
    make(Work(), console=Console(file=output, force_terminal=True, width=80)).show_once()
    lines = output.getvalue().splitlines()
    assert [line.split()[0] for line in lines if line][2:6] == ["DEVICE", "●", "●", "TOTAL"]
    assert all(line.isprintable() for line in lines)


# On real terminals and pipes


def run_driver(
    log: Path, output: int | IO[bytes], *, stops: bool = True, **environment: str
) -> subprocess.Popen[bytes]:
    code = DRIVER.format(here=str(Path(__file__).parent), log=str(log)) + STOP * stops
    plain = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.PIPE,
        env=plain | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | environment,
    )


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal of 80 x 24: (the emulator's end, the program's end)."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    yield ours, theirs
    for end in (ours, theirs):
        try:
            os.close(end)
        except OSError:
            pass  # a test has closed it already


def read_until(ours: int, screen: pyte.Screen, stream: pyte.ByteStream, wanted: Callable[[bytes], bool]) -> bytes:
    """Feed the emulator until `wanted` holds for all that was read. The test's timeout is the limit."""
    seen = b""
    while not wanted(seen):
        piece = os.read(ours, 65536)
        seen += piece
        stream.feed(piece)
    return seen


def test_on_a_terminal_the_table_is_drawn_full_screen_and_the_terminal_given_back(
    terminal: tuple[int, int], tmp_path: Path
) -> None:
    ours, theirs = terminal
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    with run_driver(tmp_path / "log.csv", theirs) as process:
        assert process.stdin is not None
        drawn = read_until(ours, screen, stream, lambda seen: seen.count(b"TOTAL") >= 3)
        assert b"\x1b[?1049h" in drawn
        assert b"\x1b[2Jsample" not in drawn
        assert screen.cursor.hidden
        assert screen.display[0].startswith(" a run ")
        assert screen.display[3].split() == [
            *("DEVICE", "NAME", "COMPUTE", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAILED", "STOLEN"),
        ]
        assert screen.display[4].split()[:6] == ["●", "GPU", "0", "RTX", "4090", "87%"]
        assert screen.display[6].lstrip().startswith("TOTAL")
        assert screen.display[9].endswith("cpu:0 <- GPU 0  \\x1b[2Jsample_2.fa".ljust(69))

        process.stdin.write(b"\n")
        process.stdin.flush()
        process.wait(30)
        os.write(theirs, b"END")
        rest = read_until(ours, screen, stream, lambda seen: seen.endswith(b"END"))
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert not screen.cursor.hidden
    assert rest.count(b"\x1b[?1049l") == 1
    after = rest.split(b"\x1b[?1049l")[1]
    assert after.count(b"TOTAL") == 1
    assert b"\x1b[?25l" not in after
    assert b"\x1b[?1049h" not in rest


def test_a_program_that_ends_without_stop_gives_the_terminal_back_too(
    terminal: tuple[int, int], tmp_path: Path
) -> None:
    ours, theirs = terminal
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)
    with run_driver(tmp_path / "log.csv", theirs, stops=False) as process:
        seen = read_until(ours, screen, stream, lambda seen: b"TOTAL" in seen)
        process.communicate(b"\n", 30)
    os.write(theirs, b"END")
    seen += read_until(ours, screen, stream, lambda seen: seen.endswith(b"END"))
    assert process.returncode == 0
    assert seen.count(b"\x1b[?1049h") == seen.count(b"\x1b[?1049l") == 1
    assert not screen.cursor.hidden


def test_when_the_terminal_goes_away_the_log_goes_on(terminal: tuple[int, int], tmp_path: Path) -> None:
    ours, theirs = terminal
    log = tmp_path / "log.csv"
    screen = pyte.Screen(80, 24)
    with run_driver(log, theirs) as process:
        read_until(ours, screen, pyte.ByteStream(screen), lambda seen: b"TOTAL" in seen)
        os.close(theirs)
        os.close(ours)
        before = log.stat().st_size
        while log.stat().st_size < before + 2000:
            assert process.poll() is None
        _, errors = process.communicate(b"\n", 30)
    assert errors == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    "environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}, {"CLICOLOR_FORCE": "1"}]
)
def test_a_pipe_gets_plain_lines_only(tmp_path: Path, environment: dict[str, str]) -> None:
    with run_driver(tmp_path / "log.csv", subprocess.PIPE, **environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        rest, errors = process.communicate(b"\n", 30)
    lines = (first + rest).decode().splitlines()
    assert errors == b""
    assert len(lines) >= 2
    assert all(" files 8/20 failed 0 " in line and "| GPU 0 87% 12.3/s q3 |" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_dumb_terminal_gets_plain_lines_only(terminal: tuple[int, int], tmp_path: Path) -> None:
    ours, theirs = terminal
    screen = pyte.Screen(80, 24)
    with run_driver(tmp_path / "log.csv", theirs, TERM="dumb") as process:
        seen = read_until(ours, screen, pyte.ByteStream(screen), lambda seen: seen.count(b"\n") >= 2)
        process.communicate(b"\n", 30)
    assert b"\x1b" not in seen
    assert b" files 8/20 failed 0 " in seen
