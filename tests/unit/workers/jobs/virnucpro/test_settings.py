"""What the options of virnucpro name is checked before the run, without a framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from virnucpro_bus.errors import UserError
from workers.jobs.checked_job import check_job
from workers.jobs.virnucpro.description import VIRNUCPRO
from workers.jobs.virnucpro.settings import settings_of

ESM = {"model_type": "esm", "num_hidden_layers": 2, "position_embedding_type": "rotary", "hidden_size": 32}
DNABERT = {
    "model_type": "bert",
    "alibi_starting_size": 512,
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_attention_heads": 12,
    "vocab_size": 100,
    "type_vocab_size": 2,
}


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    """Options that name models as far as they are looked at."""
    for name, config in (("esm", ESM), ("dnabert", DNABERT)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        for file in ("vocab.txt", "model.safetensors"):
            (tmp_path / name / file).touch()
    header = b'{"hidden_layer.weight":{"shape":[8,56]}}'
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return {"esm": str(tmp_path / "esm"), "dnabert": str(tmp_path / "dnabert"), "classifier": str(path)}


def refusal(options: dict[str, str]) -> str:
    with pytest.raises(UserError) as refused:
        settings_of(options)
    return str(refused.value)


def test_options_that_fit_together_are_taken(options: dict[str, str]) -> None:
    settings = settings_of({**options, "chunk": "300", "keep": "embeddings", "dtype": "float16", "tokens": "64"})
    assert (settings.chunk, settings.keeps_embeddings) == (300, True)
    assert [each.pool for each in (settings.dnabert, settings.esm)] == ["mean-all", "mean"]
    assert [(each.dtype, each.tokens) for each in (settings.dnabert, settings.esm)] == [("float16", 64)] * 2


def test_what_cannot_be_right_is_refused_in_one_line(options: dict[str, str], tmp_path: Path) -> None:
    esm, dnabert, classifier = options["esm"], options["dnabert"], options["classifier"]
    for changed, line in (
        (
            {"esm": dnabert},
            f"option esm of job virnucpro must be a model of the kind ESM; {dnabert} is of the kind DNABERT",
        ),
        (
            {"dnabert": esm},
            f"option dnabert of job virnucpro must be a model of the kind DNABERT; {esm} is of the kind ESM",
        ),
        ({"keep": "all"}, "option keep of job virnucpro must be embeddings, not 'all'"),
        ({"chunk": "0"}, "option chunk of job virnucpro must be a whole number of bases, at least 1, not '0'"),
        (
            {"dtype": "int8"},
            "option dtype of job virnucpro must be auto, float32, float16 or bfloat16, not 'int8'",
        ),
        (
            {"classifier": str(tmp_path / "no.pth")},
            f"{tmp_path / 'no.pth'}: cannot be read: No such file or directory; give the classifier's file",
        ),
    ):
        assert refusal({**options, **changed}) == line
    assert refusal({**options, "esm": "facebook/esm2"}).startswith("facebook/esm2: is not a folder")
    (tmp_path / "esm" / "config.json").write_text(json.dumps({**ESM, "hidden_size": 2560}))
    assert refusal(options) == (
        f"{classifier}: takes 56 features, but dnabert and esm make 24 + 2560 = 2584; "
        "give the models it was trained with"
    )


def test_no_framework_is_imported_for_the_description() -> None:
    program = (
        "import sys; from workers.jobs.virnucpro.description import VIRNUCPRO; "
        "print({'torch', 'transformers', 'numpy', 'safetensors'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).stdout
    assert output == b"set()\n"


def test_without_its_models_the_job_is_refused_whatever_the_inputs_are() -> None:
    with pytest.raises(UserError, match=r"^job virnucpro needs --job-option esm=\.\.\.: folder of ESM-2"):
        check_job("virnucpro", {})


def test_the_work_in_a_file_is_its_bases_and_a_bad_file_has_none(tmp_path: Path) -> None:
    assert VIRNUCPRO.estimate is not None
    (tmp_path / "a.fa").write_text(">a\nACGTA\nC\n>b\nAC\n")
    (tmp_path / "b.fa").write_text("text")
    assert [VIRNUCPRO.estimate(tmp_path / name, {}) for name in ("a.fa", "b.fa")] == [8.0, 0.0]
