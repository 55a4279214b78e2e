"""The workers of other people's tools, as they are: which device each has, and that each has a row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.foreign import ForeignBus, without_time
from tests.support.lab import Lab
from tests.support.run_files import recorded
from virnucpro_bus.events.vocabulary import Notice

PROCESSES = 4
# The workers wait for each other: a tool that has one of them do all the work has shown nothing.
WORK = """
import os
import time
from pathlib import Path

from virnucpro_bus import Publisher

def work(number, processes=4):
    global bus
    bus = Publisher.connect()
    Path(f"TOOL-{os.getpid()}").touch()
    while len(list(Path().glob("TOOL-*"))) < processes:
        time.sleep(0.01)
    bus.file_started(f"{number}.fa")
    bus.file_completed(f"{number}.fa", sequences=3, duration_seconds=0.1)
    return os.getpid()
"""
TOOLS = {
    "joblib": """
from joblib import Parallel, delayed

if __name__ == "__main__":
    print(*Parallel(n_jobs=4)(delayed(work)(number) for number in range(4)))
""",
    "pool": """
import multiprocessing

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        print(*pool.map(work, range(4), chunksize=1))
        pool.close()
        pool.join()
""",
}


@pytest.fixture
def bus(lab: Lab) -> Iterator[ForeignBus]:
    running = ForeignBus(lab)
    yield running
    running.stop()


def test_each_process_of_a_pool_has_a_row_live_and_replayed_which_the_next_pool_takes_over(
    lab: Lab, bus: ForeignBus
) -> None:
    pytest.importorskip("joblib", reason="needs joblib: scripts/venv requirements-dev.lock")
    for tool, then in TOOLS.items():
        program = lab.folder / f"with_{tool}.py"
        program.write_text(WORK.replace("TOOL", tool) + then)
        assert len(set(bus.work(program).stdout.split())) == PROCESSES
    live = bus.report_of(len(TOOLS) * PROCESSES)
    rows = {row["key"]: row["files_completed"] for row in live["devices"] if row["state"] != "unused"}
    assert rows == dict.fromkeys(["cpu:0", "cpu:0#2", "cpu:0#3", "cpu:0#4"], len(TOOLS))
    notices = [envelope.event.text for envelope in recorded(bus.run_dir, Notice)]
    assert len([text for text in notices if "several workers call their device cpu:0" in text]) == 1
    bus.stop()
    assert without_time(bus.report("replay")) == without_time(live)
