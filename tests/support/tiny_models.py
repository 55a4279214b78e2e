"""Tiny models of random weights, made from configurations alone, in the layouts of published ones."""

from __future__ import annotations

import json
import random
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from workers.jobs.embedding.fair_esm import ALPHABET
from workers.jobs.embedding.mosaic import MosaicBert

ESM_LAYERS = DNABERT_LAYERS = BERT_LAYERS = 2

ESM_CONFIG = {
    "vocab_size": len(ALPHABET),
    "hidden_size": 32,
    "num_hidden_layers": ESM_LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 1026,
    "position_embedding_type": "rotary",
    "token_dropout": True,
    "emb_layer_norm_before": False,
    "pad_token_id": 1,
    "mask_token_id": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "layer_norm_eps": 1e-5,
}
DNABERT_CONFIG = {
    "model_type": "bert",
    "architectures": ["BertForMaskedLM"],
    "auto_map": {"AutoConfig": "own_code.Config", "AutoModel": "own_code.Model"},
    "alibi_starting_size": 512,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_attention_heads": 12,
    "num_hidden_layers": DNABERT_LAYERS,
    "layer_norm_eps": 1e-12,
    "type_vocab_size": 2,
    "max_position_embeddings": 512,
}
SPECIAL_TOKENS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]


def make_esm(folder: Path) -> Path:
    """Make an ESM-2 in the layout of Hugging Face, where it is published with its head."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(ALPHABET))
    transformers.EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    model = transformers.EsmForMaskedLM(transformers.EsmConfig(**ESM_CONFIG))
    randomize(model).save_pretrained(folder)
    return folder


def make_dnabert(folder: Path) -> Path:
    """Make a DNABERT-S as it is published: with code of its own, here code that fails when it is run."""
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer("ACGT", folder)
    config = {**DNABERT_CONFIG, "vocab_size": len(tokenizer)}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own_code.py").write_text("raise SystemExit('the code of a model was run')\n")
    model = randomize(MosaicBert(config))
    published = {f"bert.{name}": value for name, value in model.state_dict().items()}
    torch.save(published | {"cls.predictions.bias": torch.zeros(3)}, folder / "pytorch_model.bin")
    return folder


def make_bert(folder: Path, limit: int = 64) -> Path:
    """Make a plain BERT of proteins that reads `limit` tokens, with the special ones."""
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer("ACDEFGHIKLMNPQRSTVWY", folder)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_hidden_layers=BERT_LAYERS,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=limit,
        pad_token_id=3,
    )
    randomize(transformers.BertModel(config)).save_pretrained(folder)
    return folder


def make_fair_esm(folder: Path) -> Path:
    """Make an ESM-2 in the file of fair-esm, by the package itself; half of it in float16, as the largest are."""
    import esm

    folder.mkdir(parents=True)
    model = randomize(esm.ESM2(num_layers=ESM_LAYERS, embed_dim=32, attention_heads=4))
    state = {
        name if name.startswith("lm_head.") else f"sentence_encoder.{name}": value.half()
        for name, value in model.state_dict().items()
    }
    settings = Namespace(
        arch="esm2", encoder_layers=ESM_LAYERS, encoder_embed_dim=32, encoder_attention_heads=4, token_dropout=True
    )
    path = folder / f"esm2_t{ESM_LAYERS}_1K_UR50D.pt"
    torch.save({"cfg": {"model": settings}, "model": {f"encoder.{k}": v for k, v in state.items()}}, path)
    return path


def loaded_by_fair_esm(path: Path) -> tuple[Any, Any]:
    """Return fair-esm's own model and alphabet from a file that `make_fair_esm` made."""
    import esm

    # What fair-esm does, but for its import of pkg_resources and its permission to run what is in the file.
    with torch.serialization.safe_globals([Namespace]):
        content = torch.load(path, weights_only=True)
    model, alphabet = esm.pretrained.load_model_and_alphabet_core(path.stem, content)
    return model, alphabet


def make_tokenizer(letters: str, folder: Path) -> Any:
    """Make a tokenizer that joins letters to tokens, from random sequences, and save it in `folder`."""
    dice = random.Random(1)
    corpus = ["".join(dice.choices(letters, k=500)) for _ in range(40)]
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=SPECIAL_TOKENS, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
    )
    fast.save_pretrained(folder)
    return fast


def randomize(model: Any) -> Any:
    """Give all weights random values, the same ones each time, that make embeddings differ by about 1."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            is_vector = parameter.dim() == 1
            noise = torch.randn(parameter.shape, generator=generator) * (0.1 if is_vector else 0.4)
            # Vectors are biases, and weights of normalisations, which are about 1.
            parameter.copy_(parameter + noise if is_vector else noise)
    return model.eval()
