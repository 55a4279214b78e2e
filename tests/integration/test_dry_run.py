"""What `run --dry-run` shows is what the run then does, and it leaves everything as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.in_process import ended, refusal
from tests.support.lab import Lab
from tests.support.run_files import SAMPLE
from workers.preview.preview import DevicePreview, Preview

INPUTS = ("run", "in", "--recursive", "--out", "in/out")
RUN = (*INPUTS, "--devices", "cpu:1", "--no-dashboard")


@pytest.fixture(autouse=True)
def folder(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dry runs of the tests' own process are in the folder of the lab."""
    monkeypatch.chdir(lab.folder)


def everything_in(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file and folder, with its size and when it was changed."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def dry(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a dry run prints, which changes nothing."""
    before = everything_in(Path("in"))
    assert ended(*arguments, "--dry-run") == 0
    assert everything_in(Path("in")) == before
    return capsys.readouterr().out


def preview(capsys: pytest.CaptureFixture[str], *options: str) -> Preview:
    found: Preview = json.loads(dry(capsys, *RUN, "--json", *options))
    return found


def add(*names: str) -> None:
    for name in names:
        path = Path("in", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE / "reads_01.fa", path)


def test_a_new_run_and_one_that_is_resumed_do_what_was_shown(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    add("a/x.fa", "a/y.fa", "b/x.fa", "b/notes.txt")
    new = preview(capsys)
    assert list(new) == list(Preview.__annotations__)
    assert new["devices"] is not None
    assert [list(each) for each in new["devices"]] == [list(DevicePreview.__annotations__)]
    assert (new["begins"], new["files"], sum(each["files"] for each in new["devices"])) == ("new", 3, 3)
    assert new["makespan_seconds"] is None
    assert new["unknown"] == "speeds are measured once files of the run are done"
    assert new["folders"] == [{"folder": f"{lab.folder}/in", "left_out": "1 other file (b/notes.txt)"}]

    assert lab.run(*RUN).wait() == 0
    results = sorted(path.name for path in Path("in/out/results").iterdir())
    assert results == ["a+x.fa", "b+x.fa", "y.nucleotide.fa", "y.protein.faa"]

    add("c/new.fa", "c/other.fa")
    more = preview(capsys, "--resume")
    assert (more["begins"], more["files"], more["files_done_before"]) == ("resumed", 2, 3)
    assert (more["unknown"], more["makespan_range"] is None) == (None, False)
    replaced = preview(capsys, "--force")
    assert (replaced["begins"], replaced["files"], replaced["makespan_seconds"]) == ("replaced", 5, None)
    text = dry(capsys, *RUN, "--resume")
    assert "in/out: the run in it is resumed" in text
    assert "done       3 files in earlier sessions" in text
    assert text.endswith("dry run: nothing was started or written\n")
    for options, why in (
        ((), "already holds a run"),
        (("--resume", "--job-option", "chunk=300"), "holds a run of another job or with other job options"),
        (("--resume", "--shard", "0/2"), "holds a run of all inputs; leave out --shard"),
    ):
        assert why in refusal(capsys, *RUN, *options, "--dry-run")

    assert "5 of 5 files done (3 of them earlier)" in lab.run(*RUN, "--resume").stdout


def test_each_device_is_shown_with_its_files_and_work_by_weight(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, size in (("a", 3000), ("b", 2000), ("c", 1000), ("d", 0)):
        path = Path("in", f"{name}.fa")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"A" * size)
    Path("in/link.fa").symlink_to("a.fa")
    assert (
        dry(capsys, *INPUTS, "--fake-gpus", "2", "--weights", "1,2", "--shard", "0/1")
        == f"""\
job        sixframe, which reads nucleotides
folder     in/out: a new run
files      4 files, 6,000 of work (bases)
policy     cost

device                 weight  files  work (bases)   share
sim:0 (simulated GPU)       1      1         2,000  33.3 %
sim:1 (simulated GPU)       2      3         4,000  66.7 %

longest    sim:0, 1.00 times the mean of all (work / weight)
expected   unknown: speeds are measured once files of the run are done
shard      0/1: 0 files in other shards
inputs     {lab.folder}/in/link.fa is the same file as {lab.folder}/in/a.fa: processed once
dry run: nothing was started or written
"""
    )


def test_the_workers_of_a_cluster_are_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    add("a.fa")
    text = dry(capsys, *INPUTS, "--engine", "dask", "--scheduler", "tcp://nowhere:1")
    assert "expected   unknown: the devices are those of the workers of a Dask cluster" in text


def test_with_the_policy_dask_no_device_has_files_before_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    add("a.fa")
    text = dry(capsys, *INPUTS, "--engine", "dask", "--policy", "dask", "--devices", "cpu:2")
    assert "expected   unknown: Dask's own scheduler decides which device gets which file" in text
