"""The job as a worker calls it: a file of sequences in, a file of embeddings out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

import numpy as np

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import InputError
from workers.jobs.embedding.embed import Embed
from workers.jobs.embedding.embedder import Embedder
from workers.jobs.embedding.settings import settings_of
from workers.jobs.interface import JobContext

FASTA = f">../x first\nMKTAYIAK\n>b\nmkt*\n>long\n{'MKTAYIAKQR' * 10_000}\n>x\nX\n"


class Run:
    """One call of the job with a file of its own, and what came of it."""

    def __init__(self, folder: Path, content: str, name: str = "some.faa", **options: str) -> None:
        self.progress: list[tuple[int, int | None]] = []
        context = JobContext(
            "cpu", "cpu:0", options, on_progress=lambda *done: self.progress.append(done), clock=ManualClock()
        )
        self.output = folder / f"out{len(list(folder.iterdir()))}"
        self.output.mkdir()
        source = folder / name
        source.write_text(content)
        self.sequences = Embed(context)(source, self.output, context)
        self.warning = context.warning
        self.results = {path.name: path.read_bytes() for path in self.output.iterdir()}

    def arrays(self) -> dict[str, Any]:
        with np.load(self.output / "some.npz") as file:
            return dict(file)

    def tensors(self, name: str) -> Any:
        return torch.load(self.output / name, weights_only=True)


def test_a_file_becomes_an_archive_of_ids_embeddings_and_what_they_were_made_with(
    esm: Path, tmp_path: Path
) -> None:
    run = Run(tmp_path, FASTA, model=str(esm))
    assert (run.sequences, list(run.results)) == (4, ["some.npz"])
    arrays = run.arrays()
    assert arrays["ids"].tolist() == ["../x", "b", "long", "x"]
    assert arrays["lengths"].tolist() == [8, 3, 100_000, 1]
    assert arrays["tokens"].tolist() == [8, 3, 1022, 1]
    expected = Embedder(settings_of({"model": str(esm)}), "cpu").embed(
        "abcd", ["MKTAYIAK", "MKT", "MKTAYIAKQR" * 10_000, "X"], lambda _: None
    )
    assert arrays["embeddings"].dtype == np.float32
    assert arrays["embeddings"].tobytes() == expected.vectors.tobytes()
    about = json.loads(str(arrays["about"]))
    assert (about["model"], about["kind"], about["pool"], about["layer"]) == ("esm2_tiny", "ESM", "mean", 2)
    assert (about["dtype"], about["max_length"], about["truncated"]) == ("float32", 1022, 1)
    assert about["config_sha256"] == hashlib.sha256((esm / "config.json").read_bytes()).hexdigest()
    assert about["weights_bytes"] == {"model.safetensors": (esm / "model.safetensors").stat().st_size}
    assert run.warning == "1 of 4 sequences are longer than 1022 tokens and were cut"


def test_the_same_file_makes_the_same_bytes_in_each_format(esm: Path, dnabert: Path, tmp_path: Path) -> None:
    for model, content, name in ((esm, FASTA, "some.faa"), (dnabert, ">a\nACGTT\n>b\nGGTA\n", "some.fa")):
        for form in ("npz", "pt"):
            runs = [Run(tmp_path, content, name, model=str(model), format=form) for _ in range(2)]
            assert runs[0].results == runs[1].results


def test_pt_has_the_layouts_of_virnucpro(esm: Path, dnabert: Path, tmp_path: Path) -> None:
    """Seen in its own files: a tensor for each protein, a record with a list of numbers for each nucleotide."""
    proteins = Run(tmp_path, ">p\nMKT\n>q\nMKTA\n", model=str(esm)).arrays()["embeddings"]
    run = Run(tmp_path, ">p\nMKT\n>q\nMKTA\n", model=str(esm), format="pt")
    assert list(run.results) == ["some_ESM.pt"]
    content = run.tensors("some_ESM.pt")
    assert list(content) == ["proteins", "data"]
    assert content["proteins"] == ["p", "q"]
    assert torch.equal(torch.stack(content["data"]), torch.from_numpy(proteins))
    # Each is stored alone, not with the rest of the array that it was a row of.
    assert [row.untyped_storage().nbytes() for row in content["data"]] == [4 * proteins.shape[1]] * 2

    bases = Run(tmp_path, ">a\nACGT\n", "some.fa", model=str(dnabert)).arrays()["embeddings"]
    run = Run(tmp_path, ">a\nACGT\n", "some.fa", model=str(dnabert), format="pt")
    content = run.tensors("some_DNABERT_S.pt")
    assert content == {
        "nucleotide": ["a"],
        "data": [{"label": "a", "mean_representation": bases[0].tolist()}],
    }


def test_progress_has_a_total(esm: Path, tmp_path: Path) -> None:
    run = Run(tmp_path, "".join(f">p{number}\nMKT\n" for number in range(5)), model=str(esm), tokens="5")
    assert run.progress == [(1, 5)], "later ones come too soon after it"


@pytest.mark.parametrize(
    ("model", "content", "warning"),
    [
        ("esm", ">p\nXXXX\n", None),
        ("esm", ">p\nMK-T.U\n", None),
        ("esm", ">p\nM*K*\n", None),
        ("esm", ">p\nMKT\n>p\nMKT\n", "several records are named 'p', so their results cannot be told apart"),
        ("esm", ">p\nacgt\n", "all letters are those of nucleotides"),
        ("dnabert", ">n\nNNNN\n", None),
        ("bert", ">p\nMKT\n", None),
    ],
)
def test_what_can_be_embedded_is_although_it_may_be_doubtful(
    request: pytest.FixtureRequest, tmp_path: Path, model: str, content: str, warning: str | None
) -> None:
    run = Run(tmp_path, content, "some.fa", model=str(request.getfixturevalue(model)))
    assert run.sequences == content.count(">") == len(run.arrays()["embeddings"])
    assert run.warning is None if warning is None else run.warning is not None and warning in run.warning


@pytest.mark.parametrize(
    ("model", "content", "reason"),
    [
        ("esm", "", "contains no FASTA record"),
        ("esm", ">p\nMKT\n>q\n\n", "record 'q' has no letter to embed; remove it"),
        ("esm", ">p\n*\n", "record 'p' has no letter to embed; remove it"),
        ("dnabert", ">p\nMKTAYIAK\n", "'I' in record 'p' is not a nucleotide"),
        ("dnabert", "@r\nACGT\n+\nIIII\n", "as FASTQ does"),
    ],
)
def test_what_cannot_is_refused_for_good_and_leaves_no_result(
    request: pytest.FixtureRequest, tmp_path: Path, model: str, content: str, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        Run(tmp_path, content, "some.fa", model=str(request.getfixturevalue(model)))
    assert list((tmp_path / "out0").iterdir()) == []
