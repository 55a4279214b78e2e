"""Workers of one's own that plan, steal and fork: a hub without a launcher shows them as any other run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.event_balance import assert_that_the_books_balance
from tests.support.foreign import ForeignBus, without_time
from tests.support.lab import Lab
from tests.support.run_files import recorded
from virnucpro_bus.events.vocabulary import FileCompleted

# Two workers, of which the second has one file of its own and steals the last one of the first.
PROGRAM = """
import multiprocessing
import sys
import time
from itertools import chain
from pathlib import Path

from virnucpro_bus import Publisher

method, first = sys.argv[1], int(sys.argv[2])
shares = [[f"0/{method}_a.fa", f"0/{method}_b.fa", f"0/{method}_c.fa"], [f"1/{method}_a.fa"]]
if __name__ == "__main__" and method == "fork":
    inherited = Publisher.connect(device="cpu:9", strict=True)

def count(path):
    time.sleep(0.05)
    return Path(path).read_text().count(">")

def work(number):
    # It is not closed: what was published last is sent when the process ends.
    bus = Publisher.connect(device=f"cpu:{first + number}", strict=True)
    bus.plan(shares[number], among=chain(*shares))
    for path in bus.files(shares[number][:2]):
        bus.current.sequences = count(path)
    if number == 1:
        bus.work_stolen(source=f"cpu:{first}", file=shares[0][2])
        with bus.file(shares[0][2]) as done:
            done.sequences = count(shares[0][2])
    elif method == "fork":
        inherited.file_completed("extra.fa", sequences=1, duration_seconds=0.0)

if __name__ == "__main__":
    for path in chain(*shares):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(">x")
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))
"""
PLANNED = {f"{name}.fa" for method in ("fork", "spawn") for name in (f"{method}_b", f"{method}_c")} | {
    f"{folder}+{method}_a.fa" for method in ("fork", "spawn") for folder in (0, 1)
}


class Observed(NamedTuple):
    """What was reported of the workers: by a monitor when they had ended and their hub had not, and afterwards."""

    live: dict[str, Any]
    replayed: dict[str, Any]
    simulated: dict[str, Any]
    run_dir: Path


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    lab = Lab(tmp_path_factory.mktemp("own"))
    bus = ForeignBus(lab)
    program = lab.folder / "program.py"
    program.write_text(PROGRAM)
    try:
        for method, first in (("fork", 0), ("spawn", 2)):
            # By the folder of the run, not by its address.
            ended = lab.run(method, str(first), program=program, VIRNUCPRO_BUS="bus")
            assert (ended.wait(), ended.stderr) == (0, "")
        live = bus.report_of(len(PLANNED) + 1)
    finally:
        assert bus.stop().wait() == 0
    simulated = lab.run("whatif", "bus", "--json")
    assert simulated.wait() == 0, simulated.stderr
    yield Observed(live, bus.report("replay"), json.loads(simulated.stdout), bus.run_dir)
    assert lab.left_behind() == []
    assert_that_the_books_balance(lab.folder)


def test_progress_and_the_effect_of_stealing_are_known(observed: Observed) -> None:
    totals, effect = observed.live["totals"], observed.live["effect"]
    assert (totals["files_total"], totals["files_completed"], totals["files_failed"]) == (9, 9, 0)
    assert (totals["steals"], totals["events_lost"]) == (2, 0)
    assert {steal["file_name"] for steal in effect["steals"]} == {"fork_c.fa", "spawn_c.fa"}
    assert all(effect["busy_seconds"][f"cpu:{number}"] > 0 for number in range(4))
    assert None not in (effect["makespan_without_stealing_seconds"], effect["lower_bound_seconds"])
    assert [(run["policy"], run["state"]) for run in observed.live["runs"]] == [("own", "running")]
    done = {envelope.event.file for envelope in recorded(observed.run_dir, FileCompleted)}
    assert done == PLANNED | {"extra.fa"}


def test_a_forked_child_that_uses_what_it_has_inherited_is_a_worker_of_its_own(observed: Observed) -> None:
    rows = {row["key"]: row["files_completed"] for row in observed.live["devices"]}
    assert (rows["cpu:9"], rows["cpu:9#2"]) == (0, 1)


def test_what_was_recorded_replays_to_the_same_and_can_be_simulated(observed: Observed) -> None:
    assert without_time(observed.replayed) == without_time(observed.live)
    assert observed.replayed["effect"] == observed.live["effect"]
    simulated = observed.simulated
    assert (simulated["files"], simulated["recorded"]["policy"], simulated["recorded"]["steals"]) == (8, "own", 2)
    assert {each["policy"] for each in simulated["alternatives"]} == {"off", "threshold", "cost"}
