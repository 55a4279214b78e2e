"""What jobs print: a log for each attempt, kept whatever becomes of the attempt, of its worker and of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.lab import Lab
from virnucpro_bus.logs.shorten import MAX_LOG_BYTES

JOB = """
import os, subprocess, sys
from pathlib import Path

print("loading")

def job(input, output, context):
    name, number = input.stem, len(list(Path("begun").glob(f"{input.stem}.*")))
    (Path("begun") / f"{name}.{number}").touch()
    if name != "mute":
        print(f"{name} {number}")
        print("\\x1b[2J", file=sys.stderr)
        subprocess.run(["sh", "-c", "echo from a child >&2"], check=True)
    if name == "killed" and number == 0:
        os.kill(os.getpid(), 9)
    if name == "bad" and number < 3:
        raise ValueError("no good")
    (output / f"{name}.txt").touch()
    return 1
"""
FLOOD = """
import subprocess

print("x" * 99 + "\\n" * 3_000_000)

def job(input, output, context):
    log = f"out/logs/{input.name}.1.log"
    while b"bytes left out" not in open(log, "rb").read(1 << 19):
        print("line " * 10_000)
        subprocess.run(["sh", "-c", "head -c 1000000 /dev/zero | tr '\\\\0' '\\\\n'"], check=True)
    print("last line")
    (output / "x.txt").touch()
    return 1
"""
RUN = ("run", "in", "--out", "out", "--devices", "cpu:2", "--job", "loud:job", "--retries", "1", "--no-dashboard")


def logs_in(run_dir: Path) -> Mapping[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in (run_dir / "logs").iterdir()}


def test_each_attempt_has_its_log_also_of_a_killed_worker_and_after_a_resume(lab: Lab) -> None:
    (lab.folder / "in").mkdir()
    (lab.folder / "begun").mkdir()
    for name in ("bad", "good", "killed", "mute"):
        (lab.folder / "in" / f"{name}.fa").write_text(">a\nACGT\n")
    (lab.folder / "loud.py").write_text(JOB)
    first = lab.run(*RUN)
    assert first.wait() == 3, first.stderr
    logs = logs_in(lab.folder / "out")
    attempts = {"bad.fa.1.log", "bad.fa.2.log", "good.fa.1.log", "killed.fa.1.log", "killed.fa.2.log"}
    assert logs.keys() == {*attempts, "worker-0.log", "worker-1.log"}
    assert set(logs["worker-0.log"] + logs["worker-1.log"]) == {"loading"}
    assert logs["good.fa.1.log"] == ["good 0", "\x1b[2J", "from a child"]
    assert logs["killed.fa.1.log"] == ["killed 0", "\x1b[2J", "from a child"]
    assert logs["killed.fa.2.log"][0] == "killed 1"
    assert (logs["bad.fa.2.log"][0], logs["bad.fa.2.log"][-1]) == ("bad 1", "ValueError: no good")
    assert "good 0" not in first.stdout + first.stderr

    assert "was killed by SIGKILL while it worked on killed.fa; log: logs/killed.fa.1.log\n" in first.stderr
    assert "is tried again: ValueError: no good; log: logs/bad.fa.1.log\n" in first.stderr
    assert "failed: bad.fa: ValueError: no good; log: logs/bad.fa.2.log\n" in first.stderr
    assert "\n  logs     out/logs\n" in first.stdout

    again = lab.run(*RUN, "--resume")
    assert again.wait() == 0, again.stderr
    now = logs_in(lab.folder / "out")
    assert {name: now[name] for name in attempts} == {name: logs[name] for name in attempts}
    assert now["bad.fa.1~2.log"][0] == "bad 2"
    assert now["bad.fa.2~2.log"] == ["bad 3", "\x1b[2J", "from a child"]


def test_logs_are_bounded_while_a_job_and_its_programs_print_without_end(lab: Lab) -> None:
    (lab.folder / "in").mkdir()
    (lab.folder / "in" / "a.fa").write_text(">a\nACGT\n")
    (lab.folder / "loud.py").write_text(FLOOD)
    run = lab.run(*RUN)
    assert run.wait() == 0, run.stderr
    logs = lab.folder / "out" / "logs"
    for log in logs.iterdir():
        assert log.stat().st_size <= MAX_LOG_BYTES, log
    assert (logs / "a.fa.1.log").read_bytes().endswith(b"\nlast line\n")
    assert b" bytes left out]" in (logs / "worker-0.log").read_bytes()
