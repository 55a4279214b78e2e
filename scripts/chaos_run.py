"""Kill processes of one run at random, resume it elsewhere until it is done, and check the result.

    scripts/chaos --files 10000 --kills 500

The checks: the outputs are byte by byte those of a serial run, each file was committed once, the final counts are
right, and no process is left. One kill in fifty hits the launcher, one in fifty is a batch system's signal to all
processes of the run, one in ten hits the monitor, the others a worker. Each further session resumes the run with
its inputs or its folder in another place, and under another host name. The exit status is 0 if all checks pass.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from chaos_places import Places

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import FileCommitted, WorkerLost

COMMAND = [sys.executable, "-P", "-m", "virnucpro_bus", "run"]
LAUNCHER_SHARE, ALL_SHARE, MONITOR_SHARE = 0.02, 0.02, 0.1
SIGNALS_TO_ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGXCPU)
WORKERS = {"local": "workers.process.worker", "dask": "multiprocessing.spawn"}
"""What the command line of a worker contains, by engine."""
MOST_BEGUN = 3
"""How often a file is begun before its workers are spared."""
DEVICE_PAUSE_SECONDS = 1.2
"""Mean time between two kills on the same device."""
END_SECONDS = 20.0
"""Time for processes to end after their launcher."""

JOB = """
import os
import time
from pathlib import Path
from workers.jobs.sixframe import run_sixframe

done = []

def resting(input, output, context):
    with Path("begun", input.name).open("a") as marks:
        marks.write("x")
    Path("working", str(os.getpid())).write_text(input.name)
    if done:
        Path("settled", str(os.getpid())).touch()
    done.append(input)
    time.sleep(float(context.options["seconds"]) / 2)
    sequences = run_sixframe(input, output, context)
    time.sleep(float(context.options["seconds"]) / 2)
    return sequences
"""


def main() -> int:
    """Run the test; return the exit status."""
    options = parse_options()
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")  # `virnucpro-bus ls` does not list these runs
    print(f"seed {options.seed}, in {folder}")
    write_inputs(folder / "in", options.files, chance)
    (folder / "chaos_job.py").write_text(JOB)
    for marks in ("settled", "working", "begun"):
        (folder / marks).mkdir()
    subprocess.run(
        [*COMMAND, "in", "--out", "serial", "--devices", "cpu:1", "--policy", "off", "--no-dashboard"],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    chaos = Chaos(folder, options, chance)
    status = chaos.run()
    problems = list(find_problems(folder, chaos.places.run_dir, options.files, status, chaos.killed))
    for problem in problems:
        print(f"WRONG: {problem}")
    print(", ".join(f"{count} kills of {victim}" for victim, count in sorted(chaos.killed.items())))
    print(", ".join(f"{count} x {change}" for change, count in sorted(chaos.places.changed.items())))
    verdict = "WRONG" if problems else "all checks passed"
    print(f"{chaos.sessions} sessions, {time.monotonic() - chaos.begun:.0f} s: {verdict}")
    if options.keep or problems:
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if problems else 0


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/chaos", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    parser.add_argument("--files", type=int, default=10_000, help="input files (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=500, help="processes to kill (default: %(default)s)")
    parser.add_argument("--devices", type=int, default=4, help="CPU devices (default: %(default)s)")
    parser.add_argument("--engine", choices=sorted(WORKERS), default="local", help="as for run (default: local)")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(1 << 31),
        help="seed of the files and kills (default: random)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder of the runs")
    return parser.parse_args()


def write_inputs(folder: Path, files: int, chance: random.Random) -> None:
    """Write so many small random FASTA files."""
    folder.mkdir()
    for number in range(files):
        records = (
            "".join(chance.choices("ACGT", k=chance.randrange(30, 900))) for _ in range(chance.randrange(1, 4))
        )
        text = "".join(f">{number}_{at}\n{sequence}\n" for at, sequence in enumerate(records))
        (folder / f"f{number:06}.fa").write_text(text)


class Chaos:
    """Runs sessions of one run and kills its processes, until a session ends by itself."""

    def __init__(self, folder: Path, options: argparse.Namespace, chance: random.Random) -> None:
        self.killed: Counter[str] = Counter()
        self.sessions = 0
        self.begun = time.monotonic()
        self.places = Places(folder, folder / "in", folder / "out", chance)
        self._folder, self._kills, self._chance = folder, options.kills, chance
        self._worker = WORKERS[options.engine]
        self._pause_seconds = DEVICE_PAUSE_SECONDS / options.devices
        # Seconds per file, so that the files last for all the kills.
        self._seconds = options.kills * DEVICE_PAUSE_SECONDS / options.files
        self._options = [
            "--devices", f"cpu:{options.devices}", "--no-dashboard", "--resume", "--interval", "0.5",
            "--engine", options.engine,
            "--job", "chaos_job:resting", "--job-option", f"seconds={self._seconds}",
        ]  # fmt: skip

    def run(self) -> int:
        """Run sessions until one ends by itself; return its exit status."""
        while True:
            self.sessions += 1
            places = self.places
            command = [*COMMAND, str(places.inputs), "--out", str(places.run_dir), *self._options]
            launcher = subprocess.Popen(places.on_some_host(command), cwd=self._folder, stdout=subprocess.DEVNULL)
            ended_by_us = False
            while launcher.poll() is None:
                time.sleep(self._chance.uniform(0.2, 1.8) * self._pause_seconds)
                if self.killed.total() < self._kills and not ended_by_us:
                    ended_by_us = self._kill_one(launcher)
            if not ended_by_us:
                return launcher.returncode
            wait_until_alone(self._folder, self._worker)
            places.change()

    def _kill_one(self, launcher: subprocess.Popen[bytes]) -> bool:
        """Kill a process, or tell all to end; return whether the session ends by that."""
        kind = self._chance.random()
        if kind < LAUNCHER_SHARE:
            launcher.kill()
            launcher.wait()
            self.killed["the launcher"] += 1
            return True
        if kind < LAUNCHER_SHARE + ALL_SHARE:
            return self._signal_all(launcher)
        word = "monitor" if kind < LAUNCHER_SHARE + ALL_SHARE + MONITOR_SHARE else self._worker
        victims = sorted(pid for pid, line in children(launcher.pid) if word in line)
        if word == self._worker:
            # A device on which workers keep dying before one has settled a file is rightly retired as bad: so only
            # workers that have settled one are killed.
            # So is a file that has ended three: none is killed whose file has been begun often.
            victims = [pid for pid in victims if self._may_be_killed(pid)]
        if victims and send(self._chance.choice(victims), signal.SIGKILL):
            self.killed["a worker" if word == self._worker else "the monitor"] += 1
        return False

    def _may_be_killed(self, worker: int) -> bool:
        if not (self._folder / "settled" / str(worker)).exists():
            return False
        file = (self._folder / "working" / str(worker)).read_text()
        return (self._folder / "begun" / file).stat().st_size < MOST_BEGUN

    def _signal_all(self, launcher: subprocess.Popen[bytes]) -> bool:
        """Send one signal to the launcher and its children, as a batch system does."""
        if not (self.places.run_dir / "bus.json").exists():
            return False  # until then a signal ends a program as any other
        number = self._chance.choice(SIGNALS_TO_ALL)
        for pid in [launcher.pid, *(pid for pid, _ in children(launcher.pid))]:
            send(pid, number)
        self.killed[f"all by {number.name}"] += 1
        return True


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; return whether the process was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def processes() -> Iterator[tuple[int, int, str]]:
    """Yield pid, parent and command line of every process."""
    for name in os.listdir("/proc"):
        try:
            stat = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            line = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if name.isdecimal() and stat[0] != "Z":
            yield int(name), int(stat[1]), line


def children(parent: int) -> list[tuple[int, str]]:
    """Return pid and command line of the child processes."""
    return [(pid, line) for pid, process_parent, line in processes() if process_parent == parent]


def left_behind(folder: Path) -> list[str]:
    """Return the command lines of the processes whose current folder this is."""
    found = []
    for pid, _, line in processes():
        try:
            if Path(os.readlink(f"/proc/{pid}/cwd")) == folder:
                found.append(line)
        except OSError:
            continue
    return found


def wait_until_alone(folder: Path, worker: str) -> None:
    """Wait until no process of an earlier session with `worker` on its command line is left, for 20 s at most."""
    deadline = time.monotonic() + END_SECONDS
    while any(worker in line for line in left_behind(folder)) and time.monotonic() < deadline:
        time.sleep(0.01)


def outputs(run_dir: Path) -> dict[str, bytes]:
    """Return the contents of all results by name."""
    return {path.name: path.read_bytes() for path in (run_dir / "results").rglob("*") if path.is_file()}


def find_problems(folder: Path, run_dir: Path, files: int, status: int, killed: Counter[str]) -> Iterator[str]:
    """Yield each check that fails, in one line."""
    if status != 0:
        yield f"exit status {status}"
    expected, found = outputs(folder / "serial"), outputs(run_dir)
    if expected != found:
        differing = sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        )
        yield f"{len(differing)} outputs differ from those of a serial run, such as {differing[0]}"
    commits: Counter[str] = Counter()
    losses = 0
    for record in CaptureReader(run_dir / "run.vbus"):
        envelope = decode(record.frame)
        if isinstance(envelope, Envelope):
            commits.update([envelope.event.file] if isinstance(envelope.event, FileCommitted) else [])
            losses += isinstance(envelope.event, WorkerLost)
    if len(commits) != files or commits.total() != files:
        yield f"{len(commits)} files were committed, {commits.total()} times in all, instead of {files} once"
    totals = json.loads((run_dir / "summary.json").read_text())["totals"]
    counts = (totals["files_completed"], totals["files_failed"], totals["files_total"])
    if counts != (files, 0, files):
        yield f"completed, failed and total are {counts} instead of {(files, 0, files)}"
    if losses < killed["a worker"] // 2:
        yield f"{killed['worker']} workers were killed, but only {losses} losses are recorded"
    deadline = time.monotonic() + END_SECONDS
    while (left := left_behind(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        yield f"{len(left)} processes are left: {left[0]}"


if __name__ == "__main__":
    sys.exit(main())
