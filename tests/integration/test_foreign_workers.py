"""Workers that we did not start, with two lines of ours: the hub records them, and monitors show them exactly."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.foreign import ForeignBus
from tests.support.lab import Lab

WORKER = """
from virnucpro_bus import Publisher

bus = Publisher.connect()
bus.file_completed("one.fa", sequences=250, duration_seconds=3.2)
bus.work_stolen(source=0, file="one.fa")
"""
DEVICE_OF_ENVIRONMENT = {
    "cpu:0": {},
    "cpu:1": {"CUDA_VISIBLE_DEVICES": "", "LOCAL_RANK": "1"},
    "GPU-0a1b2c3d": {"CUDA_VISIBLE_DEVICES": "GPU-0a1b2c3d"},
}
# What is written in the child of a multiprocessing program that never says close().
CHILDREN = """
import multiprocessing
import sys

from virnucpro_bus import Publisher

def work(number):
    bus = Publisher.connect(device=f"cpu:{number}")
    for index in range(20):
        bus.file_completed(f"{number}_{index}.fa", sequences=3, duration_seconds=0.1)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(number,)) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
"""


@pytest.fixture
def bus(lab: Lab) -> Iterator[ForeignBus]:
    running = ForeignBus(lab)
    yield running
    running.stop()


def test_nothing_is_lost_by_children_of_a_fork_server_that_end_without_closing(bus: ForeignBus, lab: Lab) -> None:
    """As by those that are forked or spawned, see test_own_plans.py."""
    program = lab.folder / "children.py"
    program.write_text(CHILDREN)
    bus.work(program, "forkserver")
    totals = bus.report_of(40)["totals"]
    assert (totals["files_completed"], totals["sequences"], totals["events_lost"]) == (40, 120, 0)


def test_two_lines_are_enough_and_the_device_is_told_by_the_environment(bus: ForeignBus, lab: Lab) -> None:
    program = lab.folder / "worker.py"
    program.write_text(WORKER)
    for environment in DEVICE_OF_ENVIRONMENT.values():
        bus.work(program, **environment)
    seen = bus.report_of(len(DEVICE_OF_ENVIRONMENT))
    done = {row["device_id"]: row["sequences"] for row in seen["devices"] if row["files_completed"]}
    assert done == dict.fromkeys(DEVICE_OF_ENVIRONMENT, 250)
    uuids = [row["uuid"] for row in seen["devices"] if row["files_completed"] and row["uuid"]]
    assert uuids == ["GPU-0a1b2c3d"]
    assert [steal["source_gpu"] for steal in seen["steals"]] == ["cpu:0", "cpu:0", "GPU-0a1b2c3d"]
    assert [steal["dest_gpu"] for steal in seen["steals"]] == list(DEVICE_OF_ENVIRONMENT)


def test_a_worker_without_an_address_works_as_if_nothing_was_there(lab: Lab) -> None:
    program = lab.folder / "worker.py"
    program.write_text(WORKER)
    ended = lab.run(program=program)
    assert ended.wait() == 0
    assert ended.stderr == ""


def test_a_hub_that_is_terminated_ends_in_order_too(bus: ForeignBus) -> None:
    ended = bus.stop(signal.SIGTERM)
    assert ended.wait() == 0
    assert ended.stderr == ""
    assert "events recorded in bus/run.vbus" in ended.stdout.splitlines()[-2]
    assert {path.name for path in bus.run_dir.iterdir()} == {"run.vbus"}
