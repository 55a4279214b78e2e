"""What is left of a name without its suffixes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.inputs.names import is_protein_name, is_sequence_name, stem_of, stem_of_name


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("reads.fa.gz", "reads"),
        ("reads.fa", "reads"),
        ("reads.v1.fa", "reads.v1"),
        ("reads", "reads"),
        ("reads.gz", "reads"),
        ("READS.FA.GZ", "READS"),
        (".fa", ".fa"),
        (".gz", ".gz"),
        (".fa.gz", ".fa"),
        ("reads.", "reads"),
        ("...", "..."),
        ("reads.fa.bgz", "reads"),
        ("reads.fa.bz2", "reads"),
        ("reads.fa.xz", "reads"),
        ("reads.fsa.ZST", "reads"),
        ("reads.fa.gz.gz", "reads.fa"),
        ("reads.fa.zip", "reads.fa"),
    ],
)
def test_the_stem_is_the_name_without_its_compression_and_one_suffix(name: str, stem: str) -> None:
    assert stem_of(Path("/data") / name) == stem


@given(st.text("a.", min_size=1, max_size=8))
def test_the_stem_begins_with_the_dots_that_a_name_begins_with(name: str) -> None:
    assert stem_of_name(name) == os.path.splitext(name)[0]


@pytest.mark.parametrize("letter", ["x", "é", "漢", "\udcff"])
def test_a_stem_that_is_too_long_is_cut_at_the_end_of_a_character(letter: str) -> None:
    longest = letter * ((255 - len(".fa.gz")) // len(os.fsencode(letter)))
    stem = stem_of(Path("/data", f"{longest}.fa.gz"))
    assert 197 < len(os.fsencode(stem)) <= 200
    assert longest.startswith(stem)


def test_a_stem_that_leaves_room_for_the_suffix_of_a_result_is_not_cut() -> None:
    assert stem_of(Path("/data", "x" * 241 + ".fa")) == "x" * 241


@pytest.mark.parametrize("name", ["a.fa", "a.FSA", "a.frn.xz", "a.fq.gz", "a.faa", "a.mpfa.bz2"])
def test_the_suffix_shows_a_sequence_file_also_before_that_of_a_compression(name: str) -> None:
    assert is_sequence_name(name)


@pytest.mark.parametrize("name", ["a.txt", "a.gz", "a.fa.zip", "fa", "a.fa.md5", "a.fa.fai"])
def test_other_names_are_not_those_of_sequence_files(name: str) -> None:
    assert not is_sequence_name(name)


def test_the_suffix_shows_a_file_of_proteins() -> None:
    assert [is_protein_name(name) for name in ("a.protein.faa", "a.FAA.gz", "a.mpfa", "a.fa", "faa")] == [
        True, True, True, False, False
    ]  # fmt: skip
