"""The job virnucpro in real processes, with tiny models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

from tests.support.classifiers import make_virnucpro
from tests.support.lab import Lab
from tests.support.run_files import results, small_files


class Hostile:
    """Makes a folder when it is unpickled the usual way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.fspath(self.path),)


def command(lab: Lab, models: Mapping[str, str], devices: str) -> list[str]:
    lab.environment["OMP_NUM_THREADS"] = "1"
    options = [f"--job-option={name}={value}" for name, value in models.items()]
    return ["run", "in", "--out", "run", "--job", "virnucpro", *options, "--devices", devices, "--no-dashboard"]


def test_two_workers_classify_three_files_into_one_table(lab: Lab) -> None:
    models = make_virnucpro(lab.folder, ".pth")
    names = small_files(lab.folder / "in", 3)
    run = lab.run(*command(lab, models, "cpu:2"))
    assert run.wait() == 0, run.stderr
    found = results(lab.folder / "run")
    stems = [name.removesuffix(".fa") for name in names]
    assert set(found) == {
        "predictions.tsv",
        *(f"{stem}.prediction_results{end}" for stem in stems for end in (".txt", "_highestscore.csv")),
    }
    header, *rows = found["predictions.tsv"].decode().splitlines()
    assert header == "file\tSequence_ID\tPrediction\tscore1\tscore2\tModified_ID\tIs_Virus"
    frames = {stem: found[f"{stem}.prediction_results.txt"].decode().splitlines()[1:] for stem in stems}
    assert all(frames.values())
    assert [row.rsplit("\t", 2)[0] for row in rows] == [
        f"{stem}.fa\t{frame}" for stem in stems for frame in frames[stem]
    ]
    chunks = {
        (f"{stem}.fa", *line.split("\t"))
        for stem in stems
        for line in found[f"{stem}.prediction_results_highestscore.csv"].decode().splitlines()[1:]
    }
    assert {(row.split("\t")[0], *row.split("\t")[-2:]) for row in rows} == chunks
    assert "  merged   run/results/predictions.tsv\n" in run.stdout


@pytest.mark.slow
def test_a_hostile_classifier_ends_the_run_in_one_line_and_runs_nothing(lab: Lab) -> None:
    models = make_virnucpro(lab.folder, ".pth")
    small_files(lab.folder / "in", 1)
    made = lab.folder / "made"
    torch.save(Hostile(made), models["classifier"])
    run = lab.run(*command(lab, models, "cpu:1"))
    assert run.wait() == 2
    assert run.stderr.splitlines()[-1].endswith(
        f"{models['classifier']}: is not a saved classifier of VirNucPro, and is refused: it names posix.mkdir"
    )
    assert "Traceback" not in run.stderr
    assert not made.exists()
