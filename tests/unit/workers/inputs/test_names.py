"""What is left of a name without its suffixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.inputs.names import stem_of


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
    ],
)
def test_the_stem_is_the_name_without_gz_and_one_suffix(name: str, stem: str) -> None:
    assert stem_of(Path("/data") / name) == stem
