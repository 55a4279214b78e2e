"""Runs ours and what users would pick instead on the same files, and measures what each takes from outside.

A contender either calls a Python function for each file, which sleeps as `naps.py` says, or runs a shell command.
One in Python is found where its module can be imported, or where its command is on PATH, with the interpreter
beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from naps import RESULTS, Nap, read_naps

HERE = Path(__file__).parent
COUNTS = "*.count"
"""The results of a command."""


@dataclass(frozen=True)
class Contender:
    """A program that processes all files of a folder."""

    name: str
    command: Callable[[Path, Path, int], list[str]]
    """Makes its command line, of the folders of inputs and results and the number of workers."""
    results: str = RESULTS
    """Which files in the folder of results are one for each input."""


@dataclass(frozen=True)
class Outcome:
    """What a run took. Seconds count from its launch."""

    wall_seconds: float
    """Until it has exited."""
    cpu_seconds: float
    """Processor time of all its processes."""
    first_seconds: float
    """Until it has begun its first file; of a command, until it has written the first result."""
    naps: list[Nap]
    """Empty for a command."""

    @property
    def gaps(self) -> list[float]:
        """The seconds between two files of a process: from the end of the job's call to the begin of the next."""
        by_process: dict[int, list[tuple[float, float]]] = {}
        for begin, end, _, process in sorted(self.naps):
            by_process.setdefault(process, []).append((begin, end))
        return [begin - end for files in by_process.values() for (_, end), (begin, _) in pairwise(files)]

    @property
    def span_seconds(self) -> float:
        """From the begin of the first file to the end of the last one."""
        return max(end for _, end, _, _ in self.naps) - min(begin for begin, *_ in self.naps)


def write_files(folder: Path, number: int, work: int = 0) -> Path:
    """Write so many files of 8 bytes, each of this work, into the new folder `in`; return that."""
    inputs = folder / "in"
    inputs.mkdir()
    for each in range(number):
        (inputs / f"f{each:07}_{work}.fa").write_bytes(b">s\nACGT\n")
    return inputs


def run(contender: Contender, inputs: Path, workers: int) -> Outcome:
    """Process all files of a folder; their results lie beside it meanwhile."""
    out = inputs.parent / "out"
    out.mkdir()
    files = sorted(os.listdir(inputs))
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    listed = "".join(f"{inputs / file}\0" for file in files).encode()
    before, launched = _cpu_seconds(), time.monotonic()
    command = contender.command(inputs, out, workers)
    done = subprocess.run(command, cwd=HERE, env=environment, input=listed, capture_output=True, check=False)
    wall, cpu = time.monotonic() - launched, _cpu_seconds() - before
    assert done.returncode == 0, done.stderr.decode()
    results = list(out.rglob(contender.results))
    assert len(results) == len(files), f"{contender.name}: {len(results)} results of {len(files)} files"
    naps = read_naps(results[0].parent) if contender.results == RESULTS else []
    began = min(begin for begin, *_ in naps) if naps else _first_written(results)
    shutil.rmtree(out)
    return Outcome(wall, cpu, began - launched, naps)


def _cpu_seconds() -> float:
    """Return the processor time of all processes that this one has waited for, and that they have."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _first_written(results: list[Path]) -> float:
    """Return when the first result was written, on the monotonic clock."""
    return min(each.stat().st_mtime for each in results) - time.time() + time.monotonic()


def our_command(inputs: Path, out: Path, workers: int) -> list[str]:
    """Return the command of a run of ours that naps, in the folder `run` of `out`; to be started in HERE."""
    speeds = ",".join(["1.0"] * workers)
    return _run_command(inputs, out, workers, "--job", "napping:job", "--job-option", f"speeds={speeds}")


def _our_command_of_commands(inputs: Path, out: Path, workers: int) -> list[str]:
    return _run_command(inputs, out, workers, "--job", "shell:wc -c < {input} > {outdir}/{stem}.count")


def _run_command(inputs: Path, out: Path, workers: int, *job: str) -> list[str]:
    command = [sys.executable, "-m", "virnucpro_bus", "run", str(inputs), "--out", str(out / "run")]
    return [*command, "--devices", f"cpu:{workers}", "--no-dashboard", *job]


def _gnu_parallel(_: Path, out: Path, workers: int) -> list[str]:
    options = ["--will-cite", "--null", "--jobs", str(workers), "--joblog", str(out / "log")]
    return ["parallel", *options, f"wc -c < {{}} > {out}/{{/.}}.count"]


def _xargs(_: Path, out: Path, workers: int) -> list[str]:
    script = 'wc -c < "$1" > "$0/${1##*/}.count"'
    return ["xargs", "-0", "-P", str(workers), "-n", "1", "sh", "-c", script, str(out)]


def _python_program(name: str, python: str = sys.executable) -> Callable[[Path, Path, int], list[str]]:
    script = str(HERE / "other_programs.py")
    return lambda inputs, out, workers: [python, script, name, str(inputs), str(out), str(workers)]


OURS = Contender("ours", our_command)
OURS_OF_COMMANDS = Contender("ours, shell: job", _our_command_of_commands, COUNTS)
POOL = Contender("Pool", _python_program("pool"))
SYNCED_POOL = Contender("synced Pool", _python_program("synced-pool"))
XARGS = Contender("xargs -P", _xargs, COUNTS)
_OPTIONAL = {"joblib": ("joblib", "joblib"), "Dask": ("distributed", "dask"), "Ray": ("ray", "ray")}
"""Module and command of what may be installed, by its name."""


def find_contenders() -> tuple[list[Contender], list[str]]:
    """Return all contenders that are installed, ours first, and the names of those that are not."""
    found, missing = [OURS, POOL, SYNCED_POOL], []
    for name, (module, command) in _OPTIONAL.items():
        python = _find_python(module, command)
        if python is None:
            missing.append(name)
        else:
            found.append(Contender(name, _python_program(command, python)))
    found += [OURS_OF_COMMANDS, XARGS]
    if _is_gnu_parallel():
        found.append(Contender("GNU parallel", _gnu_parallel, COUNTS))
    else:
        missing.append("GNU parallel")
    return found, missing


def _find_python(module: str, command: str) -> str | None:
    """Return an interpreter that has a module; None: none is found."""
    if find_spec(module) is not None:
        return sys.executable
    path = shutil.which(command)
    python = None if path is None else shutil.which(Path(path).resolve().with_name("python"))
    return None if python is None else str(python)


def _is_gnu_parallel() -> bool:
    """Whether the command `parallel` is GNU's: moreutils has one of that name, with other options."""
    if shutil.which("parallel") is None:
        return False
    shown = subprocess.run(
        ["parallel", "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return shown.stdout.startswith("GNU parallel")
