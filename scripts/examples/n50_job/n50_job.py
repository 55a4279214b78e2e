"""A named job of another package: how long the sequences of each file are.

To install it beside virnucpro-bus, and to use it:

    pip install scripts/examples/n50_job
    virnucpro-bus jobs n50
    virnucpro-bus run assemblies/ --out run1 --job n50 --job-option min-length=500

Each input gets a table in run1/results/: the number of its sequences, that of their bases, and N50, the length of
the shortest of the long sequences that hold half of the bases.

The command imports this module before the run. A job that needs a framework has another module for the target,
which only workers import, and says what must be installed: `requires` of NamedJob.
"""

from pathlib import Path

import dnaio

from virnucpro_bus import JobContext, JobOption, NamedJob, Options, UserError


def measure(input: Path, output: Path, context: JobContext) -> int:
    shortest = min_length(context.options)
    lengths = []
    done = 0
    with dnaio.open(input) as records:
        for done, record in enumerate(records, 1):
            if len(record) >= shortest:
                lengths.append(len(record))
            context.progress(done)
    table = f"sequences\tbases\tN50\n{len(lengths)}\t{sum(lengths)}\t{n50(lengths)}\n"
    (output / f"{input.stem}.n50.tsv").write_text(table)
    return done


def n50(lengths: list[int]) -> str:
    missing = sum(lengths) / 2
    for length in sorted(lengths, reverse=True):
        missing -= length
        if missing <= 0:
            return str(length)
    return "n/a"


def min_length(options: Options) -> int:
    given = options.get("min-length", "1")
    if not given.isdecimal():
        raise UserError(f"job n50: min-length must be a number of bases, not {given!r}")
    return int(given)


def bases(path: Path, options: Options) -> float:
    size = path.stat().st_size * (4 if path.suffix == ".gz" else 1)
    return size / 2 if {".fq", ".fastq"} & set(path.suffixes) else size  # half of FASTQ is qualities


N50 = NamedJob(
    summary="how long the sequences of each file are",
    target="n50_job:measure",
    options=(JobOption("min-length", "leave out shorter sequences, in bases", default="1"),),
    check=min_length,
    estimate=bases,
)
