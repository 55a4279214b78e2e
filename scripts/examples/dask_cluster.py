"""Show a Dask cluster of your own on the dashboard, with the two lines that are marked (1) and (2).

Here it is a cluster of two processes on this machine, which count the sequences of FASTA files.

    python scripts/examples/dask_cluster.py my-run samples/*.fa
    virnucpro-bus monitor my-run                              meanwhile, in a second terminal
    virnucpro-bus replay my-run                               afterwards
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

from distributed import Client, LocalCluster

from virnucpro_bus.dask import progress, watch  # (1)


def count_sequences(file: Path) -> int:
    """Count the records of a FASTA file, in a worker of the cluster. Replace this with your model."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
        count = sum(line.startswith(b">") for line in lines)
    progress(count)  # optional: without it the tasks are counted, but not what is in them
    return count


def main() -> int:
    """Count the sequences of all files, and print the sum."""
    parser = argparse.ArgumentParser(description="Count the sequences of FASTA files on a Dask cluster.")
    parser.add_argument("folder", type=Path, help="the run folder, in which all events are recorded")
    parser.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client, watch(client, arguments.folder):  # (2)
        counts = client.gather(client.map(count_sequences, arguments.files))
    print(sum(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
