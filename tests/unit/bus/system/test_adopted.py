"""Reaping orphans, as PID 1 does; a subreaper is given them in the same way."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

PROGRAM = """
import ctypes, os, subprocess, sys, time
from virnucpro_bus.system.adopted import reap_adopted

def zombies():
    found = set()
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            state, parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(parent) == os.getpid():
            found.add(int(pid))
    return found

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
own = subprocess.Popen(["/bin/sh", "-c", "exit 7"], process_group=0)
parent = subprocess.Popen(["/bin/sh", "-c", sys.argv[1]], process_group=0)
parent.wait()
while len(zombies()) < 2:
    time.sleep(0.01)
reap_adopted()
print(zombies() == {own.pid}, own.wait())
"""


@pytest.mark.parametrize("orphan", ["(sleep 0.05; exit 3) & exit", "setsid sh -c 'sleep 0.05; exit 3' & exit"])
def test_an_adopted_child_is_reaped_and_an_own_one_is_left_to_its_owner(orphan: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, orphan], capture_output=True, cwd=ROOT, timeout=30)
    assert (done.stdout, done.stderr) == (b"True 7\n", b"")
