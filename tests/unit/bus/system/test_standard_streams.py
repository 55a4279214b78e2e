"""The standard streams of a command that was started without some of them."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain, combinations
from pathlib import Path

import pytest

CLOSINGS = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}
SUBSETS = list(chain.from_iterable(combinations(CLOSINGS, size) for size in range(4)))
PROGRAM = """
import json, os, subprocess, sys
from virnucpro_bus.system.standard_streams import prepare_standard_streams
prepare_standard_streams()
print("out")
print("error", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    child = [sys.executable, "-c", "import os; [os.fstat(number) for number in range(3)]"]
    seen = {
        "is_null": [os.path.samestat(os.fstat(number), os.stat(os.devnull)) for number in range(3)],
        "numbers": [sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno()],
        "next": file.fileno(),
        "child": subprocess.run(child).returncode,
    }
    json.dump(seen, file)
"""


@pytest.mark.parametrize("closed", SUBSETS, ids=lambda closed: "+".join(closed) or "none")
def test_a_stream_that_is_closed_is_the_null_device_and_nothing_else_gets_its_descriptor(
    tmp_path: Path, closed: tuple[str, ...]
) -> None:
    seen = tmp_path / "seen.json"
    script = " ".join(['exec "$@"', *(CLOSINGS[name] for name in closed)])
    command = ["sh", "-c", script, "sh", sys.executable, "-c", PROGRAM, str(seen)]
    ended = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    found = json.loads(seen.read_text())
    assert found["is_null"] == [name in closed for name in CLOSINGS]
    assert found["numbers"] == [0, 1, 2]
    assert found["next"] > 2
    assert found["child"] == 0
    assert ended.stdout == ("" if "stdout" in closed else "out\n")
    assert ended.stderr == ("" if "stderr" in closed else "error\n")
