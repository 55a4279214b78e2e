"""The dashboard: what it draws where, and that no fault of others ends it or damages the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest
from rich.console import Console

from monitor.dashboard import LoadBalancingDashboard
from monitor.model.selection import ViewOptions
from tests.support.fake_sources import BrokenGpus, Gpus, Replay, Work
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization


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
    """A text file that sets `written` after `wanted` writes, and raises `fault` if it is set."""

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


def test_a_figure_that_a_source_lacks_is_unknown(make: Make) -> None:
    class FourFigures:
        """A user's own source, which has no other figures."""

        def get_gpu_utilization(self, device_id: int | str) -> dict[str, float]:
            return {"compute_percent": 12.0, "memory_percent": 3.0, "temperature": 40.0, "power_watts": 90.0}

    dashboard = make(Work(), FourFigures())
    (_, utilization), _ = dashboard._collect_metrics().rows
    assert utilization == UNKNOWN_UTILIZATION | FourFigures().get_gpu_utilization("GPU-1")


def test_a_failing_driver_leaves_figures_unknown_and_is_a_problem(make: Make) -> None:
    snapshot = make(Work(), BrokenGpus())._collect_metrics()
    assert [utilization for _, utilization in snapshot.rows] == [UNKNOWN_UTILIZATION] * 2
    assert snapshot.health == (Problem("dashboard: 2 failures, the latest: RuntimeError: no cpu:0"),)


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


def test_a_device_that_completes_nothing_for_300_s_is_shown_as_stalled(make: Make) -> None:
    work = Work()
    work.since = 300.0
    snapshot = make(work)._collect_metrics()
    assert snapshot.health[0].text == "stalled: no file finished on GPU 0, cpu:0 for 5m00s or more, 6 queued"


def test_a_source_that_fails_leaves_the_last_figures_on_screen_with_the_problem(make: Make) -> None:
    work, output = Work(), Reports()
    dashboard = make(work, console=Console(file=output), update_interval=0.001, line_interval=0)
    dashboard.start()
    assert output.written.wait(10)
    work.fault = RuntimeError("boom")
    output.written.clear()
    output.wanted = output.lines + 3
    assert output.written.wait(10)
    dashboard.stop()
    last = output.getvalue().splitlines()[-1]
    assert "GPU 0 87% 12.3/s q3" in last
    assert "the latest: RuntimeError: boom" in last


def test_the_dashboard_outlives_a_disk_that_was_full_for_a_while(make: Make) -> None:
    output = Reports()
    output.fault, output.wanted = OSError(28, "No space left on device"), 3
    dashboard = make(Work(), console=Console(file=output), update_interval=0.001, line_interval=0)
    dashboard.start()
    assert output.written.wait(10)
    output.fault = None
    dashboard.stop()
    assert "No space left on device" in output.getvalue()


def test_when_the_reader_is_gone_it_continues_without_drawing(make: Make, tmp_path: Path) -> None:
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


def test_patterns_that_never_matched_a_device_are_a_problem(make: Make, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    dashboard = make(Work(), log_file=log, look=ViewOptions(devices=frozenset({"CPU:0", "7"})))
    snapshot = dashboard._collect_metrics()
    assert snapshot.health == (Problem("no device matches 7"),)
    dashboard._log_metrics(snapshot)
    with log.open(newline="") as file:
        assert [row["gpu_id"] for row in csv.DictReader(file)] == ["cpu:0"]


def test_a_device_that_comes_and_goes_again_is_not_called_absent(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    dashboard = make(work, look=ViewOptions(devices=frozenset({"0"})))
    for rows in ([], [work.row(0, "GPU-1")], []):
        monkeypatch.setattr(work, "get_gpu_metrics", lambda rows=rows: rows)
        health = dashboard._collect_metrics().health
    assert health == ()


def test_a_source_that_gives_all_gpus_at_once_is_asked_once(make: Make) -> None:
    class Fleet(Gpus):
        def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization]:
            return [{**UNKNOWN_UTILIZATION, "compute_percent": float(at)} for at, _ in enumerate(rows)]

    gpus = Fleet()
    rows = make(Work(), gpus)._collect_metrics().rows
    assert [utilization["compute_percent"] for _, utilization in rows] == [0.0, 1.0]
    assert gpus.asked_for == []


def test_expensive_updates_are_made_less_often(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = iter(range(0, 10**12, 10**8))  # a tenth of a second of CPU time each
    monkeypatch.setattr("monitor.dashboard.thread_cpu_ns", lambda: next(costs))
    output = Reports()
    dashboard = make(Work(), console=Console(file=output), update_interval=0.001, line_interval=0)
    waits: list[float] = []

    def handle_requests(seconds: float) -> None:
        waits.append(seconds)
        dashboard._stopping.set()

    monkeypatch.setattr(dashboard, "_handle_requests", handle_requests)
    dashboard._update_loop()
    assert waits == [pytest.approx(0.1 / 0.05)]


def test_a_problem_with_the_log_is_shown(make: Make) -> None:
    dashboard = make(Work(), log_file="/dev/full")
    dashboard._log_metrics(dashboard._collect_metrics())
    assert dashboard._collect_metrics().health == (
        Problem(
            "metrics log /dev/full: No space left on device; will try again",
            brief="metrics log: No space left on device; will try again",
        ),
    )


def test_shown_once_the_table_is_logged_once_and_a_problem_with_the_log_is_shown(
    make: Make, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    make(Work(), log_file=log).show_once()
    assert log.read_bytes().count(b"\r\n") == 1 + 2
    output = Reports()
    make(Work(), log_file="/dev/full", console=Console(file=output, width=120)).show_once()
    assert output.getvalue().count("metrics log /dev/full: No space left on device") == 1


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
