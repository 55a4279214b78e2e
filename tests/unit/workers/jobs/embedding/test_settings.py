"""Options and models are checked before the run: by names and config.json, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from virnucpro_bus.errors import UserError
from workers.jobs.embedding.description import EMBED
from workers.jobs.embedding.model_files import ModelKind
from workers.jobs.embedding.settings import Settings, settings_of
from workers.jobs.named_jobs import reads_of

ESM = {"model_type": "esm", "num_hidden_layers": 6, "position_embedding_type": "rotary"}
DNABERT = {
    "model_type": "bert",
    "alibi_starting_size": 512,
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "vocab_size": 4096,
    "type_vocab_size": 2,
    "auto_map": {"AutoModel": "bert_layers.BertModel"},
}
BERT = {"model_type": "bert", "num_hidden_layers": 12, "max_position_embeddings": 512}


def make_model(folder: Path, config: Any, files: tuple[str, ...] = ("vocab.txt", "model.safetensors")) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name in files:
        (folder / name).touch()
    return folder


def checked(model: Path, **options: str) -> Settings:
    given = {"model": str(model), **{name.replace("_", "-"): value for name, value in options.items()}}
    assert EMBED.check is not None
    EMBED.check(given)
    return settings_of(given)


def refusal(model: Path | str, **options: str) -> str:
    with pytest.raises(UserError) as caught:
        checked(Path(model), **options)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    ("config", "kind", "pool", "max_length"),
    [
        (ESM, ModelKind.ESM, "mean", 1022),
        ({**ESM, "position_embedding_type": "absolute", "max_position_embeddings": 1026, "pad_token_id": 1},
         ModelKind.ESM, "mean", 1022),
        (DNABERT, ModelKind.DNABERT, "mean-all", None),
        (BERT, ModelKind.BERT, "mean-all", 510),
        ({**BERT, "model_type": "roberta", "max_position_embeddings": 514}, ModelKind.BERT, "mean-all", 510),
        ({**BERT, "model_type": "distilbert", "n_layers": 12}, ModelKind.BERT, "mean-all", 510),
    ],
)  # fmt: skip
def test_what_is_not_set_is_chosen_by_the_model(
    tmp_path: Path, config: Any, kind: ModelKind, pool: str, max_length: int | None
) -> None:
    settings = checked(make_model(tmp_path / "model", config))
    layers = config["num_hidden_layers"]
    assert settings.model.kind is kind
    assert (settings.pool, settings.max_length, settings.layer) == (pool, max_length, layers)
    assert (settings.dtype, settings.tokens) == ("auto", None)


def test_what_is_set_counts(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", ESM)
    settings = checked(
        model, pool="cls", layer="-2", dtype="bfloat16", tokens="5000", max_length="4000", format="pt"
    )
    assert (settings.pool, settings.layer, settings.dtype) == ("cls", 5, "bfloat16")
    assert (settings.tokens, settings.max_length) == (5000, 4000)
    assert [checked(model, layer=str(layer)).layer for layer in (0, 6, -1, -7)] == [0, 6, 6, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": "max"}, "option pool of job embed must be mean, mean-all or cls, not 'max'"),
        ({"dtype": "int8"}, "option dtype of job embed must be auto, float32, float16 or bfloat16, not 'int8'"),
        ({"format": "csv"}, "option format of job embed must be npz or pt, not 'csv'"),
        ({"tokens": "0"}, "option tokens of job embed must be auto or a whole number of tokens, at least 1"),
        ({"tokens": "4k"}, "not '4k'"),
        ({"max_length": "-1"}, "option max-length of job embed must be a whole number of tokens, at least 1"),
        ({"max_length": "٣"}, "not '٣'"),
        ({"max_length": "511"}, "option max-length of job embed must be at most 510, not 511: model has no"),
        ({"layer": "13"}, "must be a whole number from -13 to 12, not '13': model has 12 layers"),
        ({"layer": "-14"}, "not '-14'"),
        ({"layer": "last\x1b[2J"}, r"not 'last\x1b[2J'"),
        ({"format": "pt"}, "is how VirNucPro keeps those of ESM and DNABERT; use npz"),
    ],
)  # fmt: skip
def test_a_value_that_an_option_does_not_have_is_refused(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    assert message in refusal(make_model(tmp_path / "model", BERT), **options)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**BERT, "model_type": "llama"}, "is a model of the type 'llama'; use one of: esm, DNABERT-2/-S, bert, "),
        ({"num_hidden_layers": 2}, "is a model of the type 'None'"),
        ({**BERT, "is_decoder": True}, "is a decoder (is_decoder in config.json); use an encoder, such as ESM-2"),
        ({**BERT, "auto_map": {"AutoModel": "own.Model"}}, "needs code that comes with the model (auto_map"),
        ({"model_type": "bert"}, "num_hidden_layers in its config.json is not a number of at least 0"),
        ({**BERT, "num_hidden_layers": "12"}, "num_hidden_layers in its config.json is not a number"),
        ({**BERT, "max_position_embeddings": 2}, "max_position_embeddings in its config.json is too small"),
        ({**DNABERT, "vocab_size": None}, "vocab_size in its config.json is not a number"),
        ("[]", "its config.json is not a JSON object"),
        ("[" * 100_000, "its config.json is not JSON"),
        ("\x00", "its config.json is not JSON"),
    ],
)  # fmt: skip
def test_another_model_is_refused_by_its_configuration(tmp_path: Path, config: Any, message: str) -> None:
    assert message in refusal(make_model(tmp_path / "model", config))


def test_a_folder_that_lacks_a_file_is_refused_and_the_file_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no config.json, so it is not the folder of a model" in refusal(tmp_path / "empty")
    without_tokenizer = make_model(tmp_path / "some", ESM, ("pytorch_model.bin",))
    assert "has no tokenizer: expected one of tokenizer.json, vocab.txt, " in refusal(without_tokenizer)
    without_weights = make_model(tmp_path / "other", ESM, ("vocab.txt", "model.safetensors.index.json"))
    assert "has no weights: expected model*.safetensors or pytorch_model*.bin" in refusal(without_weights)


def test_a_name_of_the_hub_is_answered_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    command = "hf download facebook/esm2_t6_8M_UR50D --local-dir esm2_t6_8M_UR50D"
    assert refusal("facebook/esm2_t6_8M_UR50D").endswith(
        f"is not a folder, and nothing is downloaded; fetch the model first: {command}"
    )
    assert refusal(tmp_path / "gone").endswith(f"hf download NAME --local-dir {tmp_path / 'gone'}")


def test_the_file_of_fair_esm_is_known_by_its_name_and_the_name_has_its_layers(tmp_path: Path) -> None:
    model = tmp_path / "esm2_t36_3B_UR50D.pt"
    model.touch()
    settings = checked(model)
    assert settings.model.kind is ModelKind.FAIR_ESM
    assert (settings.layer, settings.pool, settings.max_length) == (36, "mean", 1022)
    assert settings.model.weights == [model]
    other = tmp_path / "esm1b_t33_650M_UR50S.pt"
    other.touch()
    assert "is not a model: expected the folder of one, or ESM-2 of fair-esm, esm2_t*_*_UR50D.pt" in refusal(other)


def test_weights_are_safetensors_where_there_are_any_and_may_be_in_several_files(tmp_path: Path) -> None:
    parts = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    model = make_model(tmp_path / "model", ESM, ("vocab.txt", "pytorch_model.bin", *parts))
    assert [file.name for file in checked(model).model.weights] == list(parts)


def test_checks_and_estimates_load_no_framework(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", ESM)
    source = tmp_path / "p.faa"
    source.write_text(">a\nMKT\n")
    program = """
import sys
from pathlib import Path
from workers.jobs.embedding.description import EMBED
options = {"model": sys.argv[1]}
EMBED.check(options)
print(EMBED.estimate(Path(sys.argv[2]), options))
print(sorted({"torch", "transformers", "numpy", "safetensors"} & set(sys.modules)))
"""
    command = [sys.executable, "-P", "-c", program, str(model), str(source)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == "5.0\n[]\n"


@pytest.mark.parametrize(
    ("config", "reads"),
    [(ESM, "proteins"), (DNABERT, "nucleotides"), (BERT, "both")],
    ids=["esm", "dnabert", "bert"],
)
def test_what_is_read_of_a_folder_is_what_the_model_reads(tmp_path: Path, config: Any, reads: str) -> None:
    model = make_model(tmp_path / "model", config)
    assert reads_of("embed", EMBED, {"model": str(model)}) == reads
