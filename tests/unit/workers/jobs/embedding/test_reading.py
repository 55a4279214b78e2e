"""What a model gets of a FASTA file, and what is refused or doubtful."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from virnucpro_bus.errors import InputError
from workers.jobs.embedding.model_files import ModelFiles, ModelKind
from workers.jobs.embedding.reading import estimate_tokens, read_sequences
from workers.jobs.embedding.settings import Settings

ESM, DNABERT, BERT = ModelKind.ESM, ModelKind.DNABERT, ModelKind.BERT


def write(folder: Path, content: str | bytes, name: str = "some.fa") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("kind", "content", "sequences"),
    [
        (ESM, ">p\nmktX\nUOBZJ-.\n", ["MKTXUOBZJ-."]),
        (ESM, ">stop at the end\nMKT*\n>stop within\nM*KT**\n>nothing else\n*\n", ["MKT", "M*KT", ""]),
        (BERT, ">p\nmkt*\n", ["MKT"]),
        (DNABERT, ">n\nacgu\nNRY-.x\n", ["ACGTNRY-.X"]),
    ],
)
def test_sequences_are_in_upper_case_dna_for_dnabert_and_proteins_without_their_last_stop_else(
    tmp_path: Path, kind: ModelKind, content: str, sequences: list[str]
) -> None:
    assert read_sequences(write(tmp_path, content), kind).sequences == sequences


def test_names_are_as_in_the_file_in_printable_text_and_a_compressed_file_is_read_as_a_plain_one(
    tmp_path: Path,
) -> None:
    content = b">../x first\nMKT\n>caf\xe9\x1b[2J\nMKL\n"
    for path in (write(tmp_path, content), write(tmp_path, gzip.compress(content, mtime=0), "some.faa.gz")):
        assert read_sequences(path, ESM).names == ["../x", r"caf\xe9\x1b[2J"]


@pytest.mark.parametrize(
    ("kind", "name", "content", "message"),
    [
        (ESM, "a.faa", "", "a.faa: contains no FASTA record"),
        (ESM, "a.faa", ">p\nMK7\n", "a.faa: line 2: '7' in record 'p' is not an amino acid"),
        (DNABERT, "a.fa", ">p\nMKTL\n", "a.fa: line 2: 'L' in record 'p' is not a nucleotide"),
        (DNABERT, "a.faa", ">p\nACGT\n", "has the name of a protein file; rename it if it contains nucleotides"),
        (ESM, "a.fq", "@r\nACGT\n+\nIIII\n", "as FASTQ does; convert it to FASTA"),
        (ESM, "a.fa", "MKT\n", "does not begin with a FASTA header"),
        (ESM, "a.fa.gz", "MKT\n", "a.fa.gz: cannot be read after record 0"),
        (ESM, "a.fa", f">{'n' * 1001}\nMKT\n", "a.fa: record 1 has a name of 1001 bytes; shorten it to 1000"),
    ],
)  # fmt: skip
def test_another_file_is_refused(tmp_path: Path, kind: ModelKind, name: str, content: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_sequences(write(tmp_path, content, name), kind)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "content", "doubt"),
    [
        (ESM, ">p\nMKT\n>q\nACGT\n", None),
        (ESM, ">p\nMKT\n>p\nMKL\n", "several records are named 'p', so their results cannot be told apart"),
        (ESM, ">\nMKT\n", "a record has no name"),
        (ESM, ">p\nACGT\n>q\nNNUA\n", "all letters are those of nucleotides, but ESM reads proteins"),
        (BERT, ">p\nACGT\n", None),
        (DNABERT, ">p\nACGT\n", None),
    ],
)
def test_what_is_doubtful_is_reported(tmp_path: Path, kind: ModelKind, content: str, doubt: str | None) -> None:
    found = read_sequences(write(tmp_path, content), kind).doubt
    assert found is None if doubt is None else found is not None and doubt in found


def settings(kind: ModelKind, max_length: int | None) -> Settings:
    return Settings(ModelFiles(Path("m"), kind, 2, None, {}), "mean", 2, "auto", None, max_length)


def test_the_work_in_a_file_is_the_letters_that_are_read_and_the_special_tokens(tmp_path: Path) -> None:
    proteins = write(tmp_path, f">p\n{'M' * 10}\n>q\n{'M' * 100}\n")
    assert estimate_tokens(proteins, settings(ESM, 50)) == 12 + 52
    assert estimate_tokens(proteins, settings(BERT, 50)) == 12 + 102
    bases = write(tmp_path, f">n\n{'A' * 100}\n")
    assert estimate_tokens(bases, settings(DNABERT, None)) == 102


def test_a_file_that_fails_at_once_has_no_work_in_it_and_does_not_spoil_the_estimates_of_the_others(
    tmp_path: Path,
) -> None:
    assert estimate_tokens(write(tmp_path, ">p\nMKT\n>q\nMK7\n"), settings(ESM, 50)) == 0
