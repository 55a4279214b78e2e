"""Which files of folders are taken, by what the job reads."""

from __future__ import annotations

import pytest

from virnucpro_bus.errors import UserError
from workers.inputs.names import Reads
from workers.inputs.selection import Kind, Selection

EITHER = ["a.fa", "a.FASTA", "a.fas.gz", "a.fsa"]
NUCLEOTIDES = ["a.fna", "a.ffn.zst", "a.frn", "a.fq", "a.FASTQ.gz"]
PROTEINS = ["a.faa", "a.mpfa.xz"]


@pytest.mark.parametrize(
    ("reads", "taken", "left_out"),
    [
        ("nucleotides", [*EITHER, *NUCLEOTIDES], PROTEINS),
        ("proteins", [*EITHER, *PROTEINS], NUCLEOTIDES),
        ("both", [*EITHER, *NUCLEOTIDES, *PROTEINS], []),
    ],
)
def test_only_names_that_rule_out_what_the_job_reads_are_left_out(
    reads: Reads, taken: list[str], left_out: list[str]
) -> None:
    selection = Selection(reads)
    assert [name for name in (*EITHER, *NUCLEOTIDES, *PROTEINS) if selection.takes(name)] == taken
    kind = {"nucleotides": Kind.PROTEINS, "proteins": Kind.NUCLEOTIDES}.get(reads)
    assert {selection.kind_of(name) for name in left_out} == ({kind} if left_out else set())
    assert not selection.takes("a.txt")
    assert selection.kind_of("a.txt") is Kind.OTHERS


def test_a_pattern_overrules_what_the_job_reads() -> None:
    selection = Selection("nucleotides", ["*.faa"])
    assert [name for name in ("a.faa", "a.fa") if selection.takes(name)] == ["a.faa"]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("labs/*.fa", "is compared with names, which have no /; give labs as INPUT, with --glob '*.fa'"),
        ("*/reads.fa", "give the folder as INPUT, with --glob 'reads.fa'"),
        ("labs/", "give labs as INPUT, with --glob '*'"),
        ("", "--glob: the pattern is empty"),
    ],
)
def test_a_pattern_that_no_name_can_match_is_refused_with_what_to_write(pattern: str, why: str) -> None:
    with pytest.raises(UserError) as caught:
        Selection("both", [pattern])
    assert why in str(caught.value)
