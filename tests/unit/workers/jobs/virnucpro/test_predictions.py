"""The table of a run joins both result files of every input."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.support.paths import DATA
from virnucpro_bus.errors import UserError
from workers.jobs.named_job import DoneFile
from workers.jobs.virnucpro.predictions import merge_predictions


def merged(*files: DoneFile) -> list[list[str]]:
    target = io.BytesIO()
    merge_predictions(files, target)
    return [line.split("\t") for line in target.getvalue().decode().splitlines()]


def results(folder: Path, stem: str, frames: str, chunks: str) -> tuple[Path, ...]:
    paths = (
        folder / f"{stem}.DNABERT_S.pt",
        *(folder / f"{stem}.prediction_results{end}" for end in (".txt", "_highestscore.csv")),
    )
    for path, text in zip(paths, ("", frames, chunks), strict=True):
        path.write_text(text)
    return paths


FRAMES = "Sequence_ID\tPrediction\tscore1\tscore2\n"
CHUNKS = "Modified_ID\tIs_Virus\n"


def test_each_frame_has_its_file_before_it_and_the_verdict_on_its_chunk_after_it(tmp_path: Path) -> None:
    upstream = DATA / "virnucpro"
    frames = (upstream / "prediction_results.txt").read_text()
    chunks = (upstream / "prediction_results_highestscore.csv").read_text()
    quoted = FRAMES + '"a""b_chunk_1F1"\tothers\t0.75\t0.25\n', CHUNKS + '"a""b_chunk_1"\tFalse\n'
    table = merged(
        DoneFile("a.fa", results(tmp_path, "a", frames, chunks)),
        DoneFile("none.fa", results(tmp_path, "none", FRAMES, CHUNKS)),
        DoneFile("=1.fa", results(tmp_path, "q", *quoted)),
    )
    rows = [line.split("\t") for line in frames.splitlines()]
    chunk = {"1": "synthetic_seq_1_chunk_1", "2": "synthetic_seq_2_chunk_1"}
    assert table == [
        ["file", *rows[0], "Modified_ID", "Is_Virus"],
        *(["a.fa", *row, chunk[row[0][14]], "True"] for row in rows[1:]),
        ["'=1.fa", '"a""b_chunk_1F1"', "others", "0.75", "0.25", '"a""b_chunk_1"', "False"],
    ]


def test_a_result_that_was_changed_or_removed_is_named(tmp_path: Path) -> None:
    paths = results(tmp_path, "a", "other\n", CHUNKS)
    with pytest.raises(UserError, match=r"^a\.prediction_results\.txt: has other columns than"):
        merged(DoneFile("a.fa", paths))
    paths[2].unlink()
    with pytest.raises(UserError, match=r"^a\.prediction_results_highestscore\.csv: cannot be read: No such file"):
        merged(DoneFile("a.fa", paths))
