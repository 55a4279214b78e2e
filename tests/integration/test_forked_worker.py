"""A job does not notice that its worker was forked: it finds what it would find in a program that was executed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.support.lab import Lab, wait_until
from tests.support.run_files import results, small_files
from virnucpro_bus.system.process_state import is_running

PROBE = """
import atexit, json, multiprocessing, os, random, signal, sys, threading, uuid
from pathlib import Path

def say_whether_it_is_main(pipe):
    pipe.send(multiprocessing.current_process().name)

def start(method):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=say_whether_it_is_main, args=(theirs,), name=f"by {method}")
    process.start()
    said = ours.recv()
    process.join()
    return said, process.exitcode

def daemonize():
    # Forked twice, in a session of its own: nothing but what it has inherited leads back to the worker.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            Path("daemon.draft").write_text(str(os.getpid()))
            Path("daemon.draft").rename("daemon")
            while True:
                signal.pause()
        os._exit(0)

def meet(run, device):
    Path(f"{run}-{device}").write_text("")
    while not all(Path(f"{run}-cpu:{number}").exists() for number in range(2)):
        threading.Event().wait(0.01)

def job(input, output, context):
    if "run" in context.options:
        meet(context.options["run"], context.device_key)
    atexit.register(lambda: Path(f"{input.stem}-atexit").write_text(""))
    status = dict(line.split(":\\t") for line in Path("/proc/self/status").read_text().splitlines())
    files = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.exists()]
    found = {
        "multiprocessing": [start(method) for method in ("spawn", "fork")],
        "main": [sys.modules["__main__"].__file__, sys.modules["__main__"].__spec__],
        "arguments": [sys.argv, Path("/proc/self/cmdline").read_text().split("\\0")],
        "flags": [list(sys.flags), sys.path, sys.stdout.encoding, sys.stdout.write_through],
        "leads its group": os.getpgrp() == os.getpid(),
        "session": os.getsid(0),
        "current folder": os.getcwd(),
        "thread": threading.current_thread() is threading.main_thread(),
        "input": sys.stdin.read(),
        "signals": {each.name: repr(signal.getsignal(each)).split(" at ")[0] for each in signal.Signals},
        "blocked": [status["SigBlk"], status["Umask"]],
        "environment": {name: value for name, value in os.environ.items() if name != "VIRNUCPRO_WORKER"},
        "logs": len([name for name in files if name.endswith(".log")]),
        "devices": sorted(name for name in files if name.startswith("/dev/")),
        "pipes and files": len([name for name in files if not name.startswith(("socket:", "anon_inode:"))]),
        "random": [random.random(), uuid.uuid4().hex],
    }
    (output / f"{input.stem}.json").write_text(json.dumps(found))
    if "run" not in context.options:
        daemonize()
        threading.Event().wait()
    return 1
"""
THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


def probe(lab: Lab, out: str, **environment: str) -> list[dict[str, Any]]:
    """Run the job on two files at once, each in a worker of its own; return what it found."""
    arguments = ("run", "in", "--out", out, "--devices", "cpu:2", "--no-dashboard")
    ended = lab.run(*arguments, "--job", "probe:job", "--job-option", f"run={out}", **environment)
    assert ended.wait() == 0, ended.stderr
    return [json.loads(found) for found in results(lab.folder / out).values()]


def test_a_job_finds_in_a_forked_worker_what_it_finds_in_one_that_was_executed(lab: Lab) -> None:
    names = small_files(lab.folder / "in", 2)
    (lab.folder / "probe.py").write_text(PROBE)
    forked = probe(lab, "forked", PYTHONPATH=f"{lab.folder}/python")
    assert {path.name for path in lab.folder.glob("*-atexit")} == {f"{Path(name).stem}-atexit" for name in names}
    # Where Python itself starts threads, nothing can be forked without executing a program.
    (lab.folder / "python").mkdir()
    (lab.folder / "python" / "sitecustomize.py").write_text(THREAD)
    executed = probe(lab, "executed", PYTHONPATH=f"{lab.folder}/python")
    assert all(one != other for one, other in zip(*(found.pop("random") for found in forked), strict=True))
    for one, other in zip(forked, executed, strict=True):
        assert {name: (one[name], other[name]) for name in one if one[name] != other[name]} == {}
    found = forked[0]
    assert found["multiprocessing"] == [["by spawn", 0], ["by fork", 0]]
    assert (found["environment"]["CUDA_VISIBLE_DEVICES"], found["blocked"][0]) == ("", "0" * 16)
    assert (found["leads its group"], found["session"], found["thread"]) == (True, os.getsid(0), True)


def test_a_daemon_that_a_job_has_forked_ends_when_the_launcher_is_killed(lab: Lab) -> None:
    small_files(lab.folder / "in", 1)
    (lab.folder / "probe.py").write_text(PROBE)
    running = lab.start(
        *("run", "in", "--out", "out", "--devices", "cpu:1", "--no-dashboard"),
        *("--job", "probe:job"),
    )
    running.until((lab.folder / "daemon").exists, "the daemon runs")
    daemon = int((lab.folder / "daemon").read_text())
    running.signal(signal.SIGKILL)
    wait_until(lambda: not is_running(daemon), "the daemon has ended")
