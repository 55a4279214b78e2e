"""What `run --dry-run` shows is what the run then does, and it leaves everything as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.support.lab import Lab
from tests.support.run_files import SAMPLE
from workers.preview.preview import DevicePreview, Preview

RUN = ("run", "in", "--recursive", "--out", "in/out", "--devices", "cpu:2", "--no-dashboard")


def everything_in(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file and folder, with its size and when it was changed."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def dry(lab: Lab, *options: str) -> Preview:
    before = everything_in(lab.folder / "in")
    shown = lab.run(*RUN, "--dry-run", "--json", *options)
    assert shown.wait() == 0
    assert everything_in(lab.folder / "in") == before
    found: Preview = json.loads(shown.stdout)
    return found


def add(lab: Lab, *names: str) -> None:
    for name in names:
        path = lab.folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE / "reads_01.fa", path)


def test_a_new_run_and_one_that_is_resumed_do_what_was_shown(lab: Lab) -> None:
    add(lab, "a/x.fa", "a/y.fa", "b/x.fa", "b/notes.txt")
    new = dry(lab)
    assert list(new) == list(Preview.__annotations__)
    assert new["devices"] is not None
    assert [list(each) for each in new["devices"]] == [list(DevicePreview.__annotations__)] * 2
    assert (new["begins"], new["files"], sum(each["files"] for each in new["devices"])) == ("new", 3, 3)
    assert (new["makespan_seconds"], new["unknown"]) == (
        None,
        "speeds are measured once files of the run are done",
    )
    assert new["folders"] == [
        {"folder": f"{lab.folder}/in", "left_out": "1 other file (b/notes.txt)"},
    ]
    assert lab.run(*RUN).wait() == 0
    results = sorted(path.name for path in (lab.folder / "in" / "out" / "results").iterdir())
    assert results == ["a+x.fa", "b+x.fa", "y.nucleotide.fa", "y.protein.faa"]
    add(lab, "c/new.fa", "c/other.fa")
    more = dry(lab, "--resume")
    assert (more["begins"], more["files"], more["files_done_before"]) == ("resumed", 2, 3)
    assert more["unknown"] is None
    assert more["makespan_seconds"] is not None
    assert more["makespan_range"] is not None
    low, high = more["makespan_range"]
    assert high is not None
    assert low <= more["makespan_seconds"] <= high
    assert (dry(lab, "--force")["begins"], dry(lab, "--force")["files"]) == ("replaced", 5)
    shown = lab.run(*RUN, "--dry-run", "--resume").stdout
    assert "in/out: the run in it is resumed" in shown
    assert "done       3 files in earlier sessions" in shown
    assert shown.endswith("dry run: nothing was started or written\n")
    assert "5 of 5 files done (3 of them earlier)" in lab.run(*RUN, "--resume").stdout


def test_what_the_run_would_refuse_is_refused_with_the_same_line(lab: Lab) -> None:
    add(lab, "a.fa")
    assert lab.run(*RUN).wait() == 0
    for options in ((), ("--resume", "--job-option", "chunk=300"), ("--resume", "--shard", "0/2")):
        tried, shown = lab.run(*RUN, *options), lab.run(*RUN, *options, "--dry-run")
        assert (tried.wait(), shown.wait()) == (2, 2)
        assert shown.stderr.splitlines() == tried.stderr.splitlines()[-1:]
        assert shown.stdout == ""


def test_the_devices_of_a_cluster_are_not_asked_for(lab: Lab) -> None:
    add(lab, "a.fa")
    shown = lab.run("run", "in", "--out", "out", "--engine", "dask", "--scheduler", "tcp://nowhere:1", "--dry-run")
    assert shown.wait() == 0
    assert "expected   unknown: the devices are those of the workers of a Dask cluster" in shown.stdout
    assert not (lab.folder / "out").exists()
