"""The examples of scripts/examples do what they claim, run as their docstrings show."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.distributions import install_package
from tests.support.foreign import ForeignBus, without_time
from tests.support.lab import Lab, Started
from tests.support.paths import ROOT, SCRIPTS
from tests.support.run_files import SAMPLE, recorded, results, summary
from virnucpro_bus.events.run_events import FilesAssigned
from virnucpro_bus.events.vocabulary import FileCompleted, WorkStolen
from workers.jobs.interface import COST_PER_UNIT

EXAMPLES = SCRIPTS / "examples"
FILES = sorted(SAMPLE.iterdir())
SEQUENCES = 2001  # 2,000 reads and the phage
LAMBDA_GC = "gi|9626243|ref|NC_001416.1|\t48502\t49.86\n"


@pytest.fixture
def bus(lab: Lab) -> Iterator[ForeignBus]:
    running = ForeignBus(lab)
    yield running
    running.stop()


# Workers of one's own.


def test_own_workers_are_counted_exactly_and_replay_to_the_same(bus: ForeignBus) -> None:
    bus.work(EXAMPLES / "own_workers.py", *FILES)
    seen = bus.report_of(len(FILES))
    totals = seen["totals"]
    assert totals["files_total"] == len(FILES)
    assert (totals["files_completed"], totals["files_failed"]) == (len(FILES), 0)
    assert totals["sequences"] == SEQUENCES
    assert totals["events_lost"] == 0
    assert totals["events_received"] == totals["events_published"]
    devices = {device["device_id"]: device for device in seen["devices"] if device["state"] != "unused"}
    assert {name: device["state"] for name, device in devices.items()} == dict.fromkeys(
        ("cpu:0", "cpu:1", "cpu:2"), "stopped"
    )
    assert bus.stop().wait() == 0
    assert without_time(bus.report("replay")) == without_time(seen)
    done = Counter(envelope.event.file for envelope in recorded(bus.run_dir, FileCompleted))
    assert done == Counter(path.name for path in FILES)
    steals = Counter(envelope.event.thief for envelope in recorded(bus.run_dir, WorkStolen))
    assert steals.total() == totals["steals"] == len(seen["steals"])
    assert {name: device["work_stolen_to"] for name, device in devices.items()} == {
        name: steals[name] for name in devices
    }


def test_a_dask_cluster_of_ones_own_is_counted_exactly(lab: Lab) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")
    ended = lab.run("my-run", *FILES, program=EXAMPLES / "dask_cluster.py")
    assert (ended.wait(), ended.stdout) == (0, f"{SEQUENCES}\n"), ended.stderr
    replayed = json.loads(lab.run("replay", "my-run", "--once", "--json").stdout)
    totals = replayed["totals"]
    assert (totals["files_completed"], totals["sequences"], totals["events_lost"]) == (len(FILES), SEQUENCES, 0)
    assert {row["device_id"]: row["state"] for row in replayed["devices"]} == {
        "cpu:0": "stopped",
        "cpu:1": "stopped",
    }


# A job of one's own.


def run_own_job(lab: Lab, inputs: Path, *options: str) -> Path:
    """Run the example's job on two workers; the run's folder."""
    arguments = ("--out", "out", "--devices", "cpu:2", "--job", "own_job:GcContent", *options)
    ended = lab.run("run", inputs, *arguments, PYTHONPATH=str(EXAMPLES))
    assert ended.wait() == 0, ended.stderr
    assert "estimates are not used" not in ended.stderr
    return lab.folder / "out"


def test_own_job_writes_the_gc_content_of_every_sequence(lab: Lab) -> None:
    tables = results(run_own_job(lab, SAMPLE, "--job-option", "digits=2"))
    assert len(tables) == len(FILES)
    assert sum(table.count(b"\n") for table in tables.values()) == SEQUENCES
    assert tables["lambda_virus.gc.tsv"].decode() == LAMBDA_GC
    assert summary(lab.folder / "out")["totals"]["sequences"] == SEQUENCES


def test_own_job_knows_small_letters_unknown_bases_and_empty_sequences(lab: Lab) -> None:
    (lab.folder / "in").mkdir()
    (lab.folder / "in" / "few.fa").write_text(">all of it\nGGCC\n>none\nATaT\n>\nacgT\n>n\nNNNN\n>empty\n\n")
    tables = results(run_own_job(lab, lab.folder / "in"))
    rows = ["all\t4\t100.0", "none\t4\t0.0", "\t4\t50.0", "n\t4\tn/a", "empty\t0\tn/a"]
    assert tables == {"few.gc.tsv": "".join(f"{row}\n" for row in rows).encode()}


def test_own_job_has_its_files_planned_by_their_size_without_compression(lab: Lab) -> None:
    run_dir = run_own_job(lab, SAMPLE)
    assigned = (envelope.event for envelope in recorded(run_dir, FilesAssigned))
    planned = {file.file: file.cost for event in assigned for file in event.files}
    assert planned == {
        path.name: COST_PER_UNIT
        * len(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        for path in FILES
    }


def test_the_job_of_another_package_runs_by_its_name_whatever_is_in_the_current_folder(lab: Lab) -> None:
    example = EXAMPLES / "n50_job"
    points = tomllib.loads((example / "pyproject.toml").read_text())["project"]["entry-points"]
    install_package(lab.folder / "site", "n50_job", (example / "n50_job.py").read_text(), points)
    installed = {"PYTHONPATH": str(lab.folder / "site")}
    for name in ("n50_job", "workers"):
        (lab.folder / f"{name}.py").write_text("raise ImportError('a module of the user')\n")
    (lab.folder / "in").mkdir()
    (lab.folder / "in" / "few.fa").write_text(">a\nGGCC\n>b\nAC\n>c\nACGTACGTAC\n")
    (lab.folder / "in" / "read.fq").write_text("@r\nACGT\n+\n!!!!\n")
    options = ("--job", "n50", "--job-option", "min-length=4", "--devices", "cpu:1", "--no-dashboard")
    ended = lab.run("run", "in", "--out", "out", *options, **installed)
    assert ended.wait() == 0, ended.stderr
    assert results(lab.folder / "out") == {
        "few.n50.tsv": b"sequences\tbases\tN50\n2\t14\t10\n",
        "read.n50.tsv": b"sequences\tbases\tN50\n1\t4\t4\n",
    }
    (assigned,) = (envelope.event for envelope in recorded(lab.folder / "out", FilesAssigned))
    assert [(file.file, file.cost / COST_PER_UNIT) for file in assigned.files] == [
        ("few.fa", 28.0),
        ("read.fq", 7.5),
    ]


# A dashboard of one's own.


def watch_in_process(lab: Lab, *inputs: str | Path) -> tuple[Started, str]:
    """Run the example, and the last line that its dashboard has printed."""
    ended = lab.run(*inputs, program=EXAMPLES / "dashboard_in_process.py")
    assert "Traceback" not in ended.stderr
    return ended, ended.stdout.splitlines()[-1]


def test_the_dashboard_in_process_shows_all_files_done_and_some_stolen(lab: Lab) -> None:
    ended, last = watch_in_process(lab, SAMPLE)
    assert ended.wait() == 0
    assert f"files {len(FILES)}/{len(FILES)} failed 0" in last
    assert "finished" in last
    assert re.search(r"\| steals [1-9]\d* saved ", last)


def test_the_page_on_watching_shows_a_dashboard_in_process_that_runs_as_it_is(lab: Lab) -> None:
    chapter = (ROOT / "docs" / "watch.md").read_text().split("## The dashboard in your own process\n")[1]
    program = lab.folder / "readme.py"
    program.write_text(chapter.split("```python\n")[1].split("```")[0])
    shutil.copytree(SAMPLE, lab.folder / "samples")
    ended = lab.run(program=program)
    assert ended.wait() == 0, ended.stderr
    assert f"files {len(FILES)}/{len(FILES)} failed 0" in ended.stdout.splitlines()[-1]
    assert len((lab.folder / "gpu_metrics.log").read_text().splitlines()) >= 3


def test_the_dashboard_in_process_counts_a_broken_file_and_ends(lab: Lab) -> None:
    (lab.folder / "in").mkdir()
    shutil.copy(FILES[0], lab.folder / "in")
    (lab.folder / "in" / "broken.fa.gz").write_bytes(b"not compressed")
    ended, last = watch_in_process(lab, "in")
    assert ended.wait() == 1
    assert "files 1/2 failed 1" in last


# A capture, read by oneself.


def test_read_capture_prints_what_each_device_completed_and_every_steal(lab: Lab, finished: Path) -> None:
    ended = lab.run(finished, program=EXAMPLES / "read_capture.py")
    assert ended.wait() == 0, ended.stderr
    seen = summary(finished)
    rows = [
        f"{row['device_id']}  {row['files_completed']} files  {row['sequences']} sequences"
        for row in seen["devices"]
    ]
    steals = [f"{steal['dest_gpu']} <- {steal['source_gpu']}  {steal['file_name']}" for steal in seen["steals"]]
    assert 0 < len(steals) < 50
    printed = ended.stdout.splitlines()
    assert printed[: len(rows)] == rows
    assert sorted(printed[len(rows) :]) == sorted(steals)


def test_an_example_without_arguments_prints_its_usage(lab: Lab) -> None:
    ended = lab.run(program=EXAMPLES / "own_workers.py")
    assert ended.wait() == 2
    assert ended.stderr.startswith("usage: own_workers.py ")


def test_every_example_is_run_here() -> None:
    run = {"own_workers.py", "dask_cluster.py", "own_job.py", "dashboard_in_process.py", "read_capture.py"}
    assert {path.name for path in EXAMPLES.glob("*.py")} == run
