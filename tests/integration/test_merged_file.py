"""The file that a job makes of all results: of those of all sessions, and never one of an earlier session."""

from __future__ import annotations

import pytest

from tests.support.distributions import install_package
from tests.support.lab import Lab
from tests.support.run_files import results

TABLES = """
from pathlib import Path

from workers.jobs.named_job import Merge, NamedJob


def run(input, output, context):
    if b">" not in input.read_bytes():
        raise ValueError("no record")
    (output / f"{input.stem}.tsv").write_bytes(input.read_bytes())
    return 1


def merge(files, target):
    target.write(b"begun ")
    if Path("broken").exists():
        raise ValueError("two\\nlines")
    for file, (path,) in files:
        target.write(b"%b: %b;" % (file.encode(), path.read_bytes()))


JOB = NamedJob("tables", "tables:run", merge=Merge("table.tsv", merge))
"""


@pytest.fixture
def tables(lab: Lab) -> Lab:
    """A lab in which another package's job called "tables" is installed, with three inputs."""
    install_package(lab.folder / "site", "tables", TABLES, {"virnucpro_bus.jobs": {"tables": "tables:JOB"}})
    lab.environment["PYTHONPATH"] = str(lab.folder / "site")
    (lab.folder / "in").mkdir()
    # The last one would give the file's own name to a result.
    for name, text in (("a.fa", ">a"), ("b.fa", ""), ("table.fa", ">t")):
        (lab.folder / "in" / name).write_text(text)
    return lab


def test_the_merged_file_holds_what_is_done_now_and_is_never_of_an_earlier_session(tables: Lab) -> None:
    run_dir = tables.folder / "run"
    command = (
        "run",
        "in",
        "--out",
        "run",
        "--job",
        "tables",
        "--devices",
        "cpu:1",
        "--no-dashboard",
        "--retries=0",
    )
    first = tables.run(*command)
    assert first.wait() == 3, first.stderr
    files = {"a.tsv": b">a", "table.fa/table.tsv": b">t"}
    assert results(run_dir) == files | {"table.tsv": b"begun a.fa: >a;table.fa: >t;"}
    assert "  merged   run/results/table.tsv\n" in first.stdout

    (tables.folder / "in" / "b.fa").write_text(">b")
    (tables.folder / "broken").touch()
    files["b.tsv"] = b">b"
    failed = tables.run(*command, "--resume")
    assert failed.wait() == 0, failed.stderr
    assert (
        "table.tsv is not written: ValueError: two; to try again, continue the run with --resume" in failed.stderr
    )
    assert "merged" not in failed.stdout
    assert results(run_dir) == files

    (tables.folder / "broken").unlink()
    again = tables.run(*command, "--resume")
    assert again.wait() == 0, again.stderr
    assert results(run_dir) == files | {"table.tsv": b"begun a.fa: >a;b.fa: >b;table.fa: >t;"}
