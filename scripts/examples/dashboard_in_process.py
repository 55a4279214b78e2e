"""Show the dashboard for workers in your own process: no hub, no run folder, one coordinator and some threads.

The coordinator holds the files and decides who gets which. Each thread asks it for a file, works, and records what
came of it; the dashboard shows the coordinator's figures beside those of the GPU driver until all files are done.

    python scripts/examples/dashboard_in_process.py samples/
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from virnucpro_bus import Device, GPUMonitor, LoadBalancingDashboard, WorkStealingCoordinator, find_inputs

# On GPUs the key is the UUID, "GPU-...": by it the dashboard finds the load, memory and temperature of the GPU.
DEVICES = [Device(key=f"cpu:{number}", name="CPU") for number in range(3)]
WEIGHTS = [4.0, 1.0, 1.0]
"""The speeds that the plan assumes. They are wrong here, so cpu:1 and cpu:2 run out of files first, and steal."""
SECONDS_PER_BYTE = 2e-6
"""How long a model would take."""


def work(device: Device, coordinator: WorkStealingCoordinator) -> None:
    """Take files for one device until none is left."""
    while coordinator.unsettled:
        assignment = coordinator.next_file(device.key)
        if assignment is None:  # nothing for this device now; a failed file may come back to it
            time.sleep(0.02)
            continue
        file = assignment.file
        started = time.perf_counter()
        try:
            sequences = process(file.path)
        except Exception as error:  # whatever is wrong with one file, the others are processed
            coordinator.record_file_failure(device.key, file.id, str(error), time.perf_counter() - started)
        else:
            coordinator.record_file_completion(device.key, file.id, sequences, time.perf_counter() - started)


def process(path: Path) -> int:
    """Count the sequences of a FASTA file, and wait as long as a model would take."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        text = file.read()
    time.sleep(len(text) * SECONDS_PER_BYTE)
    return text.count(b">")


def main() -> int:
    """Process all files and show the dashboard meanwhile; return 1 if some failed."""
    parser = argparse.ArgumentParser(description="Count sequences in three threads, and show the dashboard.")
    parser.add_argument("inputs", nargs="+", type=Path, help="FASTA files, or folders of them")
    files = find_inputs(parser.parse_args().inputs).files
    coordinator = WorkStealingCoordinator(DEVICES, files, weights=WEIGHTS, retries=1, job="counting")
    with (
        LoadBalancingDashboard(coordinator, GPUMonitor(), update_interval=0.5, log_file=None, title="in process"),
        ThreadPoolExecutor(len(DEVICES)) as threads,
    ):
        for worker in [threads.submit(work, device, coordinator) for device in DEVICES]:
            worker.result()
    return int(coordinator.get_totals()["files_failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
