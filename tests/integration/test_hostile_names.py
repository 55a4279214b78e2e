"""Names that mean harm, of folders and files and devices: whatever prints them shows them, and obeys none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from monitor.cli.doctor import Report, examine, render
from monitor.log.metrics_log import MetricsLog
from tests.support.captures import frames_of, write_capture
from tests.support.harmful_texts import assert_harmless
from tests.support.lab import Lab
from tests.support.run_files import SAMPLE, Gates
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.text import visible

HARM = "\x1b[2J\u202e\x85\u2028"
SEEN = visible(HARM)


def harmless(text: str) -> list[str]:
    """The lines of what was printed, which must hold nothing that is not to be seen."""
    assert_harmless(text)
    return text.splitlines()


# A hub's lines are for a shell to evaluate.


def test_a_shell_that_evaluates_what_a_hub_prints_runs_nothing_of_its_folders_name(lab: Lab) -> None:
    name = "b\x1b\u2028\ntouch evil #"
    bus = lab.start("hub", name)
    bus.until(lambda: "# the bus is up" in bus.stdout, "the hub is up")
    address = read_addresses(lab.folder / name).publish
    bus.signal(signal.SIGINT)
    assert bus.wait() == 0, bus.stderr
    evaluated = subprocess.run(
        ["sh", "-c", 'eval "$1"; printf %s "$VIRNUCPRO_BUS"', "sh", bus.stdout],
        cwd=lab.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert evaluated.stdout == address
    assert not (lab.folder / "evil").exists()
    comments = [line for line in bus.stdout.split("\n") if line.startswith("#")]
    assert len(comments) == 3
    assert_harmless("".join(comments))


# Folders.


def recorded(lab: Lab, text: str = "a") -> Path:
    """A capture with damage at its end, in a folder that is called by a name that means harm."""
    folder = lab.folder / f"run{HARM}"
    folder.mkdir()
    capture = folder / "run.vbus"
    write_capture(capture, [*frames_of(text), b"\xc1"])
    with capture.open("ab") as file:
        file.write(b"damage")
    return folder


def test_the_closing_lines_of_a_run_show_its_folder(lab: Lab) -> None:
    ended = lab.run(
        *("run", SAMPLE / "reads_01.fa", "--out", f"out{HARM}", "--devices", "cpu:1", "--no-dashboard"),
        *("--log-file", f"log{HARM}"),
    )
    assert ended.wait() == 0, ended.stderr
    told = {line.split()[0]: line.split()[-1] for line in harmless(ended.stdout)[-4:]}
    assert told == {
        "results": f"out{SEEN}/results",
        "capture": f"out{SEEN}/run.vbus",
        "log": f"out{SEEN}/log{SEEN}",
        "summary": f"out{SEEN}/summary.json",
    }


def test_a_notice_that_names_a_folder_that_is_not_utf_8_does_not_end_the_run(lab: Lab) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close("reads_01.fa")
    running = lab.start(
        *("run", SAMPLE / "reads_01.fa", "--out", os.fsdecode(b"out\xff"), "--devices", "cpu:1"),
        *("--job", "user_jobs:gated", "--job-option", gates.option),
    )
    running.until(gates.waiting, "the job is at its gate")
    os.kill(running.child("monitor"), signal.SIGKILL)
    running.until_it_says("to watch it: virnucpro-bus monitor out\\xff")
    gates.open()
    assert running.wait() == 0, running.stderr


def test_doctor_shows_where_the_sockets_go(tmp_path: Path) -> None:
    report: Report = {**examine(tmp_path, {}), "socket_folder": f"/run{HARM}"}
    assert f"  socket folder: /run{SEEN}" in harmless(render(report))


def test_info_shows_where_the_capture_is(lab: Lab) -> None:
    ended = lab.run("info", recorded(lab).name)
    assert harmless(ended.stdout)[0].startswith(f"capture   run{SEEN}/run.vbus (")


def test_what_a_table_lacks_is_told_of_a_capture_that_is_shown(lab: Lab) -> None:
    ended = lab.run("export", recorded(lab).name)
    assert [line.split(": ")[1] for line in harmless(ended.stderr)] == [f"run{SEEN}/run.vbus"] * 2


def test_a_monitor_shows_the_folder_that_is_no_run(lab: Lab) -> None:
    recorded(lab)
    ended = lab.run("monitor", f"run{HARM}", f"nothing{HARM}", "--once")
    (line,) = harmless(ended.stderr)
    assert line.startswith(f"virnucpro-bus: nothing{SEEN}: is neither a run folder nor an address")


def test_a_metrics_log_that_cannot_be_written_is_told_of_by_what_is_seen_of_its_name(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "nowhere" / HARM, ManualClock())
    log.write([])
    expected = f"metrics log {tmp_path}/nowhere/{SEEN}: No such file or directory; will try again"
    assert log.problem is not None
    assert log.problem.text == expected


# Options.


def test_a_device_that_is_asked_for_and_not_there_is_shown(lab: Lab) -> None:
    ended = lab.run("monitor", recorded(lab).name, "--devices", f"a,cpu{HARM}:0", "--once", "--json")
    assert ended.wait() == 0
    assert harmless(ended.stderr) == [f"virnucpro-bus: no device matches cpu{SEEN}:0"]


def test_a_size_that_is_none_is_shown(lab: Lab) -> None:
    ended = lab.run("monitor", "--log-file", "log", "--log-rotate", f"1K{HARM}")
    (line,) = harmless(ended.stderr)
    assert f"1K{SEEN}" in line


# Workers.

WORKER = """
import workers.process.worker as process
from virnucpro_bus.errors import ChannelError

class Confused:
    def __init__(self, *arguments):
        pass
    def work(self):
        raise ChannelError("\\x1b[2J\\nno answer")

process.Worker = Confused
process.main()
"""
CONFIG = (
    b'{"slot":3,"token":"","channel":"ipc:///nowhere","publish":"ipc:///nowhere","run":"r","host":"h","source":"w",'
    b'"epoch":1,"device_key":"cpu:3","device_name":"CPU","device_index":3,"job":"sixframe","options":{}}\n'
)


def test_what_a_worker_says_of_a_broken_channel_is_one_line() -> None:
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        assert worker.stderr is not None
        worker.stdin.write(CONFIG)
        worker.stdin.flush()
        assert worker.stderr.read() == b"virnucpro-bus: worker 3: \\x1b[2J\\x0ano answer\n"
    assert worker.returncode == 1
