"""The workers of other people's tools, as they are: which device each has, and that each has a row."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.fake_nvml import FakeNvmlLibrary, Gpu
from tests.support.foreign import ForeignBus, without_time
from tests.support.lab import Lab
from tests.support.run_files import recorded
from virnucpro_bus.events.run_events import Notice
from virnucpro_bus.events.vocabulary import FileCompleted

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


def has_recorded(bus: ForeignBus, file: str) -> bool:
    return file in [envelope.event.file for envelope in recorded(bus.run_dir, FileCompleted)]


def test_a_worker_that_is_killed_and_started_again_has_the_row_it_had(lab: Lab, bus: ForeignBus) -> None:
    program = lab.folder / "worker.py"
    program.write_text(
        "import signal, sys\nfrom virnucpro_bus import Publisher\nbus = Publisher.connect()\n"
        "bus.file_completed(sys.argv[1], sequences=1, duration_seconds=0.1)\nsignal.pause()\n"
    )
    for file in ("a.fa", "b.fa"):
        worker = lab.start(file, program=program, **bus.environment)
        worker.until(partial(has_recorded, bus, file), "its file is recorded")
        worker.signal(signal.SIGKILL)
        worker.wait()
    rows = {row["key"]: row["files_completed"] for row in bus.report()["devices"] if row["state"] != "unused"}
    assert rows == {"cpu:0": 2}
    assert recorded(bus.run_dir, Notice) == []


# Two processes that torchrun starts, and that talk to each other by gloo. They publish three times: as they are,
# where there are device files of four GPUs, and with a torch that has initialized CUDA, on the two last of these.
TRAIN = """
import os
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist

from virnucpro_bus import Publisher, own_device

rank = int(os.environ["LOCAL_RANK"])

def train(case):
    with Publisher.connect() as bus:
        total = torch.ones(1)
        dist.all_reduce(total)
        bus.file_completed(f"{case}-{rank}.fa", sequences=int(total), duration_seconds=0.1)
        dist.barrier()

dist.init_process_group("gloo")
train("cpu")
own_device.DEVICE_FOLDER = Path("dev")
train("rank")
torch.cuda.is_initialized = lambda: True
torch.cuda.current_device = lambda: 3 - rank
torch.cuda.get_device_properties = lambda ordinal: SimpleNamespace(uuid=f"0000000{ordinal}-d72c-4106-c12f")
train("torch")
dist.destroy_process_group()
"""
GPUS = [Gpu(f"GPU-0000000{number}-d72c-4106-c12f", compute=10 * number) for number in range(4)]


def test_processes_of_torchrun_have_the_figures_of_their_gpus_or_are_cpu_workers(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    pytest.importorskip("torch", reason="needs torch: scripts/venv --group models")
    nvml.shows(*GPUS)
    (lab.folder / "dev").mkdir()
    for number in range(len(GPUS)):
        (lab.folder / "dev" / f"nvidia{number}").touch()
    program = lab.folder / "train.py"
    program.write_text(TRAIN)
    bus = ForeignBus(lab)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", program)
    ended = lab.run(*torchrun, program=sys.executable, OMP_NUM_THREADS="1", **bus.environment)
    assert ended.wait() == 0, ended.stderr
    report = bus.report_of(6)
    bus.stop()
    assert {file["file"]: file["device_id"] for file in report["files"]} == {
        **{"cpu-0.fa": "cpu:0", "cpu-1.fa": "cpu:1"},
        **{"rank-0.fa": 0, "rank-1.fa": 1},
        **{"torch-0.fa": 3, "torch-1.fa": 2},
    }
    rows = [
        (row["device_id"], row["state"], row["sequences"], row["compute_percent"]) for row in report["devices"]
    ]
    assert sorted(rows, key=str) == [
        *((f"cpu:{number}", "stopped", 2, None) for number in range(2)),
        *((number, "stopped", 2, 10.0 * number) for number in range(4)),
    ]
