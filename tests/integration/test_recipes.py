"""The batch scripts of share/recipes, with an srun and a scontrol that notes what it is asked for, not Slurm's."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.lab import COMMAND, Lab, Started
from tests.support.paths import RECIPES
from tests.support.run_files import Gates, recorded, result_names, results, small_files, summary
from virnucpro_bus.events.vocabulary import FileCommitted
from virnucpro_bus.run_folder import read_addresses

FILES = 6
SIGNALLED = 128 + signal.SIGUSR1
SRUN = """
while [ "${1#--}" != "$1" ]; do shift; done
export SLURM_NTASKS=2
SLURM_PROCID=0 "$@" & first=$!
SLURM_PROCID=1 "$@"
second=$?
wait $first
[ $? -gt $second ] || exit $second
wait $first
"""
"""Two tasks; its status is the highest of theirs, as that of Slurm's."""


class Slurm:
    """What the script meets in an allocation."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._requests = lab.folder / "requests"
        self._bin = lab.folder / "bin"
        self._bin.mkdir()
        self.command("scontrol", f'echo "$@" >> {self._requests}')

    def command(self, name: str, script: str) -> None:
        """Put a command on the PATH, in front of all others."""
        path = self._bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, *arguments: str | Path, restarts: int = 0, script: str = "virnucpro-bus.sbatch") -> Started:
        """Start a script; the variable of the restarts is not set at the first start."""
        path = os.pathsep.join((str(self._bin), str(Path(COMMAND).parent), os.environ["PATH"]))
        variables = {"PATH": path, "SLURM_JOB_ID": "17"}
        if restarts:
            variables["SLURM_RESTART_COUNT"] = str(restarts)
        return self._lab.start(*arguments, program=RECIPES / script, prefix=["bash"], **variables)

    def requests(self) -> list[str]:
        """What scontrol was asked for."""
        return self._requests.read_text().splitlines() if self._requests.exists() else []


@pytest.fixture
def slurm(lab: Lab) -> Slurm:
    return Slurm(lab)


def test_a_run_that_is_signalled_before_its_time_is_up_is_queued_again_and_continues(
    lab: Lab, slurm: Slurm
) -> None:
    names = small_files(lab.folder / "inputs", FILES)
    gates = Gates(lab.folder / "gates")
    gates.close(names[2])
    options = ("--devices", "cpu:1", "--job", "user_jobs:gated", "--job-option", gates.option)
    first = slurm.start("inputs", "out", *options)
    first.until(gates.waiting, "the job is at its gate")
    first.signal(signal.SIGUSR1)  # to the script alone
    first.until_it_says("SIGUSR1")
    gates.open()
    assert first.wait() == SIGNALLED
    assert slurm.requests() == ["requeue 17"]
    done = results(lab.folder / "out")
    assert 0 < len(done) < len(result_names(names))

    assert slurm.start("inputs", "out", *options, restarts=1).wait() == 0
    assert slurm.requests() == ["requeue 17"]
    assert results(lab.folder / "out").keys() == result_names(names)
    assert sorted(each.event.file for each in recorded(lab.folder / "out", FileCommitted)) == sorted(names)


@pytest.mark.parametrize(
    ("status", "restarts", "requests"),
    [
        (SIGNALLED, 0, ["requeue 17"]),
        (SIGNALLED, 48, ["requeue 17"]),
        (SIGNALLED, 49, []),  # the last of the allocations
        (0, 0, []),
        (3, 0, []),
        (128 + signal.SIGTERM, 0, []),  # scancel
    ],
)
@pytest.mark.parametrize("script", ["virnucpro-bus.sbatch", "shards.sbatch"])
def test_only_a_run_that_is_ended_by_its_time_is_queued_again_and_not_for_ever(
    slurm: Slurm, script: str, status: int, restarts: int, requests: list[str]
) -> None:
    slurm.command("virnucpro-bus", f"exit {status}")
    slurm.command("srun", SRUN)
    assert slurm.start("inputs", "out", restarts=restarts, script=script).wait() == status
    assert slurm.requests() == requests


def test_a_cancelled_run_gets_the_signal_and_the_time_to_end_and_is_not_queued_again(
    lab: Lab, slurm: Slurm
) -> None:
    ready, ended = lab.folder / "ready", lab.folder / "ended"
    slurm.command(
        "virnucpro-bus",
        f"trap 'sleep 0.2; touch {ended}; exit 143' TERM; touch {ready}; while :; do sleep 0.02; done",
    )
    running = slurm.start("inputs", "out")
    running.until(ready.exists, "the run has started")
    running.signal(signal.SIGTERM)
    assert running.wait() == 128 + signal.SIGTERM
    assert ended.exists()
    assert slurm.requests() == []


def test_two_shards_are_watched_as_one_fleet_and_the_one_whose_node_dies_continues_alone(
    lab: Lab, slurm: Slurm
) -> None:
    slurm.command("srun", SRUN)
    names = small_files(lab.folder / "inputs", FILES)
    gates = Gates(lab.folder / "gates")
    gates.close(*names[:2])  # the biggest: one for each shard
    options = ("inputs", "out", "--devices", "cpu:1", "--job", "user_jobs:gated", "--job-option", gates.option)
    both = lab.folder / "out" / "0", lab.folder / "out" / "1"
    first = slurm.start(*options, script="shards.sbatch")
    first.until(lambda: len(gates.waiting()) == 2, "both shards are at their gates")

    watched = lab.run("monitor", *both, "--once", "--json")
    assert watched.wait() == 0, watched.stderr
    report = json.loads(watched.stdout)
    assert report["totals"]["files_total"] == FILES
    assert [(run["shard"]["number"], run["shard"]["count"], run["state"]) for run in report["runs"]] == [
        (0, 2, "running"),
        (1, 2, "running"),
    ]

    os.kill(read_addresses(both[1]).pid, signal.SIGKILL)
    gates.open()
    assert first.wait() == 128 + signal.SIGKILL
    assert (slurm.requests(), summary(both[0])["exit_code"]) == ([], 0)
    done = results(both[0])
    assert slurm.start(*options, script="shards.sbatch").wait() == 0
    assert results(both[0]) == done
    assert sorted([*done, *results(both[1])]) == sorted(result_names(names))
    committed = [each.event.file for run_dir in both for each in recorded(run_dir, FileCommitted)]
    assert sorted(committed) == sorted(names)
