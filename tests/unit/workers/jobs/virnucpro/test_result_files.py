"""The result files are VirNucPro's own, byte for byte, for the scores that it computed."""

from __future__ import annotations

from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="needs NumPy: pip install 'virnucpro-bus[models]'")

from tests.support.paths import ROOT
from workers.jobs.virnucpro.result_files import result_files

UPSTREAM = ROOT / "tests" / "data" / "virnucpro"


def written(output: Path, names: list[str], *blocks: object) -> tuple[str, str]:
    """Return both files of frames whose scores come in some blocks."""
    with result_files(output, "s") as predictions:
        at = 0
        for block in blocks:
            scores = np.array(block, np.float32).reshape(-1, 2)
            predictions.add(names[at : at + len(scores)], scores)
            at += len(scores)
    frames, chunks = ((output / f"s.prediction_results{end}") for end in (".txt", "_highestscore.csv"))
    return frames.read_bytes().decode(), chunks.read_bytes().decode()


def test_upstreams_scores_make_upstreams_files(tmp_path: Path) -> None:
    expected = (UPSTREAM / "prediction_results.txt").read_text()
    rows = [line.split("\t") for line in expected.splitlines()[1:]]
    scores = [row[2:] for row in rows]
    names = [row[0] for row in rows]
    assert written(tmp_path, names, scores[:3], scores[3:]) == (
        expected,
        (UPSTREAM / "prediction_results_highestscore.csv").read_text(),
    )


def test_a_chunk_is_viral_if_its_greatest_scores_are_and_chunks_are_sorted(tmp_path: Path) -> None:
    names = ["b_chunk_1F1", "b_chunk_1R1", "a_chunk_1F1", "a_chunk_10F1", "c_chunk_1F1"]
    scores = [(0.9, 0.1), (0.05, 0.95), (0.7, 0.3), (1e-5, 0.99999), (0.5, 0.5)]
    frames, chunks = written(tmp_path, names, scores)
    assert [line.split("\t")[1] for line in frames.splitlines()[1:]] == [
        *("others", "virus", "others", "virus"),
        "others",  # of equal scores the first counts for a frame, and the second for a chunk
    ]
    assert "\t1e-05\t0.99999\n" in frames
    assert (
        chunks == "Modified_ID\tIs_Virus\na_chunk_1\tFalse\na_chunk_10\tTrue\nb_chunk_1\tTrue\nc_chunk_1\tTrue\n"
    )


def test_without_a_frame_both_files_have_their_header(tmp_path: Path) -> None:
    assert written(tmp_path, []) == ("Sequence_ID\tPrediction\tscore1\tscore2\n", "Modified_ID\tIs_Virus\n")


def test_a_name_is_neither_a_formula_nor_more_than_a_cell(tmp_path: Path) -> None:
    frames, chunks = written(tmp_path, ["=1+1_chunk_1F1", 'a"b_chunk_1F1'], [(0.25, 0.75), (0.75, 0.25)])
    assert frames.splitlines()[1:] == [
        "'=1+1_chunk_1F1\tvirus\t0.25\t0.75",
        '"a""b_chunk_1F1"\tothers\t0.75\t0.25',
    ]
    assert chunks.splitlines()[1:] == ["'=1+1_chunk_1\tTrue", '"a""b_chunk_1"\tFalse']
