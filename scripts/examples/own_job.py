"""Run your own computation on every device: a job class that measures the GC content of FASTA files.

The class is made once in each worker, which is the place to load a model. Its instance is called for each file.
Run it from the folder that holds this module, or put that folder on PYTHONPATH:

    cd scripts/examples
    virnucpro-bus run samples/ --out run1 --job own_job:GcContent --job-option digits=2

Each input gets a table in run1/results/, with one row a sequence: its name, its length, its GC content in percent.
"""

from __future__ import annotations

from pathlib import Path

import dnaio

from virnucpro_bus import JobContext


class GcContent:
    """Writes one row a sequence: name, length, percent of G and C among A, C, G and T."""

    def __init__(self, context: JobContext) -> None:
        """Prepare a worker. With a model: load it here, and move it to `context.device` ("cuda:0" or "cpu")."""
        self.digits = int(context.options.get("digits", "1"))

    def __call__(self, input: Path, output: Path, context: JobContext) -> int:
        """Process one file: leave results in the folder `output`, return the number of sequences.

        An exception fails this file and no other.
        """
        done = 0
        with dnaio.open(input, fileformat="fasta") as records, open(output / f"{input.stem}.gc.tsv", "w") as table:
            for done, record in enumerate(records, 1):
                words = record.name.split()
                name = words[0] if words else ""
                table.write(f"{name}\t{len(record.sequence)}\t{self.gc_percent(record.sequence)}\n")
                context.progress(done)  # optional, and cheap: shows the throughput within long files
        return done

    def gc_percent(self, sequence: str) -> str:
        """Return the GC content with the chosen number of digits; "n/a" where no base is known."""
        counts = {base: sequence.count(base) + sequence.count(base.lower()) for base in "ACGT"}
        known = sum(counts.values())
        return f"{100 * (counts['G'] + counts['C']) / known:.{self.digits}f}" if known else "n/a"

    @staticmethod
    def estimate(path: Path) -> float:
        """Return a number that grows with the work in a file. Optional; called before the run starts.

        Here it is the size without compression: the last four bytes of a gzip file hold it. A file made of several
        gzip members states that of its last one alone, so the estimate is never less than the size on disk.
        """
        size = path.stat().st_size
        if path.suffix != ".gz" or size < 4:
            return size
        with path.open("rb") as file:
            file.seek(-4, 2)
            return max(size, int.from_bytes(file.read(4), "little"))
