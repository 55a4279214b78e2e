"""What a process and those that it has started use, by a tree of files like that of the kernel."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from virnucpro_bus.system import process_usage
from virnucpro_bus.system.process_usage import UNKNOWN_USAGE, ProcessUsage, own_usage

TICK_MS = 1000 // os.sysconf("SC_CLK_TCK")
PAGE = resource.getpagesize()
OWN = str(os.getpid())


def process(proc: Path, pid: str, ticks: int, pages: int, read: int | None, children: str = "") -> None:
    """A process whose second thread has started `children`."""
    for thread, of_thread in ((pid, ""), ("77", children)):
        task = proc / pid / "task" / thread
        task.mkdir(parents=True)
        (task / "children").write_text(of_thread)
    (proc / pid / "stat").write_text(f"{pid} (a) b) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 1 2 3 20 0")
    (proc / pid / "statm").write_text(f"900 {pages} 1 1 0 1 0\n")
    if read is not None:
        (proc / pid / "io").write_text(f"rchar: {read}\nwchar: 2\n")


def test_descendants_count_whichever_thread_has_started_them(tmp_path: Path) -> None:
    process(tmp_path, OWN, 10, 100, 1_000, children="901 902 ")
    process(tmp_path, "901", 20, 10, 500, children="903 ")
    process(tmp_path, "903", 30, 1, 7)
    # 902 has ended meanwhile.
    assert own_usage(tmp_path) == ProcessUsage((10 + 20 + 30 + 3 * 6) * TICK_MS, 111 * PAGE, 1_507)


def test_what_the_kernel_hides_is_unknown_and_the_rest_is_known(tmp_path: Path) -> None:
    process(tmp_path, OWN, 10, 100, None)
    assert own_usage(tmp_path) == ProcessUsage(16 * TICK_MS, 100 * PAGE, None)


def test_without_such_files_nothing_is_known(tmp_path: Path) -> None:
    assert own_usage(tmp_path) == UNKNOWN_USAGE


def test_of_too_many_processes_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_usage, "MOST_PROCESSES", 2)
    process(tmp_path, OWN, 10, 100, 1, children="901 902")
    process(tmp_path, "901", 1, 1, 1)
    process(tmp_path, "902", 1, 1, 1)
    assert own_usage(tmp_path) == UNKNOWN_USAGE


def test_a_child_that_works_and_reads_is_counted_while_it_runs_and_afterwards() -> None:
    before = own_usage()
    code = "import sys; open('/dev/zero', 'rb').read(30_000_000); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = own_usage()
    after = own_usage()
    for usage in (during, after):
        assert (usage.read_bytes or 0) - (before.read_bytes or 0) > 30_000_000
        assert (usage.cpu_milliseconds or 0) > (before.cpu_milliseconds or 0)
    assert (during.resident_bytes or 0) > (after.resident_bytes or 0)
