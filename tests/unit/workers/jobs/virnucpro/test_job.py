"""The whole job equals a plain loop over the same models, and VirNucPro's own merge of embeddings."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

import numpy as np
import transformers
from safetensors.torch import load_file, save_file

from tests.support.classifiers import MLPClassifier, make_classifier, make_virnucpro, save_as_upstream
from tests.support.paths import DATA
from tests.support.tiny_models import ESM_LAYERS
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from workers.jobs.embedding import settings as embedding
from workers.jobs.embedding.models import load_model
from workers.jobs.interface import JobContext
from workers.jobs.sixframe import run_sixframe
from workers.jobs.virnucpro import job
from workers.jobs.virnucpro.job import VirNucPro, merge_features

TOLERANCE = 1e-5
CHUNK = "90"
HEADERS = {
    "s.prediction_results.txt": "Sequence_ID\tPrediction\tscore1\tscore2\n",
    "s.prediction_results_highestscore.csv": "Modified_ID\tIs_Virus\n",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**make_virnucpro(tmp_path_factory.mktemp("virnucpro")), "chunk": CHUNK}


@pytest.fixture(scope="module")
def fasta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of which some have no open frame."""
    dice = random.Random(5)
    path = tmp_path_factory.mktemp("in") / "s.fa"
    sequences = ["NNNN", *("".join(dice.choices("ACGTacgt", k=dice.randint(3, 400))) for _ in range(6)), "XX"]
    path.write_text("".join(f">r{at}\n{each}\n" for at, each in enumerate(sequences)))
    return path


def worked(
    fasta: Path, output: Path, options: dict[str, str], reports: list[tuple[int, int | None]] | None = None
) -> JobContext:
    """Run the job as a worker does; return its context."""
    clock = ManualClock()

    def note(done: int, total: int | None) -> None:
        if reports is not None:
            reports.append((done, total))
        clock.advance(1)

    context = JobContext("cpu", "cpu:0", options, on_progress=note, clock=clock)
    output.mkdir()
    assert VirNucPro(context)(fasta, output, context) == fasta.read_text().count(">")
    return context


def rows_of(output: Path) -> list[list[str]]:
    lines = (output / "s.prediction_results.txt").read_text().splitlines()
    return [line.split("\t") for line in lines[1:]]


def plain_scores(fasta: Path, folder: Path, options: dict[str, str]) -> tuple[list[str], Any]:
    """The names and scores of all frames that sixframe writes: one at a time, by the models' own libraries."""
    run_sixframe(fasta, folder, JobContext("cpu", "", {"chunk": CHUNK}, on_progress=print, clock=ManualClock()))
    texts = [(folder / f"s.{end}").read_text().split() for end in ("nucleotide.fa", "protein.faa")]
    assert texts[0][::2] == texts[1][::2]
    esm = transformers.AutoModel.from_pretrained(options["esm"]).eval()
    residues = transformers.AutoTokenizer.from_pretrained(options["esm"])
    bases = transformers.AutoTokenizer.from_pretrained(options["dnabert"])
    dnabert = load_model(embedding.settings_of({"model": options["dnabert"]}), "cpu")
    weights = load_file(options["classifier"])
    classifier = MLPClassifier(weights["hidden_layer.weight"].shape[1], 8, 2).eval()
    classifier.load_state_dict(weights)
    scores = []
    with torch.inference_mode():
        for dna, protein in zip(texts[0][1::2], texts[1][1::2], strict=True):
            tokens = bases(dna, return_tensors="pt")["input_ids"]
            of_dna = dnabert.hidden_states(tokens, torch.ones_like(tokens))[0].mean(0)
            tokens = residues(protein, return_tensors="pt")["input_ids"]
            of_protein = esm(tokens, output_hidden_states=True).hidden_states[ESM_LAYERS][0, 1:-1].mean(0)
            scores.append(classifier(torch.cat([of_dna, of_protein])[None]).softmax(1)[0].numpy())
    return [name[1:] for name in texts[0][::2]], np.stack(scores)


def test_the_job_equals_a_plain_loop_whatever_the_blocks_are(
    fasta: Path, models: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    names, expected = plain_scores(fasta, tmp_path / "plain", models)
    assert len(names) > 20
    reports: list[tuple[int, int | None]] = []
    worked(fasta, tmp_path / "whole", models, reports)
    rows = rows_of(tmp_path / "whole")
    assert [row[0] for row in rows] == names
    assert np.abs(np.array([row[2:] for row in rows], float) - expected).max() < TOLERANCE
    assert [row[1] for row in rows] == ["virus" if virus > other else "others" for other, virus in expected]
    assert {row[1] for row in rows} == {"virus", "others"}
    verdicts = (tmp_path / "whole" / "s.prediction_results_highestscore.csv").read_text().splitlines()[1:]
    assert [line.split("\t")[0] for line in verdicts] == sorted({name[:-2] for name in names})
    done = [sequences for sequences, _ in reports]
    assert done == sorted(done)
    assert {total for _, total in reports} == {8}
    assert done[-1] <= 8

    monkeypatch.setattr(job, "BLOCK_FRAMES", 7)
    worked(fasta, tmp_path / "parts", models)
    parts = rows_of(tmp_path / "parts")
    assert [row[:2] for row in parts] == [row[:2] for row in rows]
    assert np.abs(np.array([row[2:] for row in parts], float) - expected).max() < TOLERANCE


def test_kept_embeddings_are_upstreams_files_and_make_the_features(
    fasta: Path, models: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "BLOCK_FRAMES", 7)
    worked(fasta, tmp_path / "out", {**models, "keep": "embeddings"})
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"s_DNABERT_S.pt", "s_ESM.pt", *HEADERS}
    dna = torch.load(tmp_path / "out" / "s_DNABERT_S.pt", weights_only=True)
    proteins = torch.load(tmp_path / "out" / "s_ESM.pt", weights_only=True)
    names = [row[0] for row in rows_of(tmp_path / "out")]
    assert dna["nucleotide"] == proteins["proteins"] == names
    rows = torch.tensor([each["mean_representation"] for each in dna["data"]])
    classifier = make_classifier(rows.shape[1] + len(proteins["data"][0]))
    with torch.inference_mode():
        scores = classifier(torch.cat([rows, torch.stack(proteins["data"])], 1)).softmax(1).numpy()
    written = np.array([row[2:] for row in rows_of(tmp_path / "out")], np.float32)
    assert np.abs(scores - written).max() < TOLERANCE


def test_upstreams_embeddings_are_merged_as_upstream_merges_them_bit_for_bit() -> None:
    dna, proteins, merged = (
        torch.load(DATA / "virnucpro" / f"output_1_{name}.pt", weights_only=True)
        for name in ("DNABERT_S", "ESM", "merged")
    )
    by_name = dict(zip(proteins["proteins"], proteins["data"], strict=True))
    rows = [each["mean_representation"] for each in dna["data"]]
    features = merge_features(
        np.array(rows, np.float32), np.stack([by_name[name].numpy() for name in dna["nucleotide"]])
    )
    assert merged["ids"] == dna["nucleotide"]
    assert features.tobytes() == merged["data"].numpy().tobytes()


def test_without_an_open_frame_the_results_are_their_headers_and_doubts_are_warnings(
    models: dict[str, str], tmp_path: Path
) -> None:
    fasta = tmp_path / "s.fa"
    fasta.write_text(">a\nNNNNNNNNN\n>a\nTT\n>\nXXX\n")
    context = worked(fasta, tmp_path / "out", models)
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == HEADERS
    assert context.warning is not None
    assert context.warning.startswith("several records are named 'a'")


def test_frames_that_are_cut_are_warned_of_and_scores_that_are_no_numbers_fail_the_file(
    models: dict[str, str], tmp_path: Path
) -> None:
    fasta = tmp_path / "s.fa"
    fasta.write_text(f">a\n{'ACG' * 1100}\n")
    context = worked(fasta, tmp_path / "out", {**models, "chunk": "3300"})
    cut = len(rows_of(tmp_path / "out"))
    assert context.warning == f"{cut} frames are longer than 1022 residues and were cut; use shorter chunks"

    weights = load_file(models["classifier"])
    weights["output_layer.bias"][0] = torch.nan
    save_file(weights, tmp_path / "damaged.safetensors")
    with pytest.raises(UserError, match=r"^the classifier's scores are not finite; its file is damaged$"):
        worked(fasta, tmp_path / "failed", {**models, "classifier": str(tmp_path / "damaged.safetensors")})


def test_a_pickled_classifier_of_another_width_is_refused_when_the_models_are_loaded(
    models: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "300_model.pth"
    save_as_upstream(make_classifier(3328), path)
    options = {**models, "classifier": str(path)}
    context = JobContext("cpu", "cpu:0", options, on_progress=print, clock=ManualClock())
    with pytest.raises(UserError) as refused:
        VirNucPro(context)
    assert str(refused.value) == (
        f"{path}: takes 3328 features, but DNABERT-S and esm2_tiny make 24 + 32 = 56; "
        "give the models it was trained with"
    )
