"""The frames that the models read are those that sixframe writes, whatever the blocks are."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from tests.support.paths import DATA
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import InputError
from workers.jobs.interface import JobContext
from workers.jobs.sixframe import run_sixframe
from workers.jobs.virnucpro.frames import check_records, frame_blocks

READS = DATA / "sample" / "reads_20.fa"


def test_blocks_hold_what_sixframe_writes_in_its_order(tmp_path: Path) -> None:
    run_sixframe(READS, tmp_path, JobContext("cpu", "", {}, on_progress=print, clock=ManualClock()))
    written = [
        (tmp_path / name).read_text().split() for name in ("reads_20.nucleotide.fa", "reads_20.protein.faa")
    ]
    blocks = list(frame_blocks(READS, 500, size=7))
    assert [len(block) for block in blocks[:-1]] == [7] * (len(blocks) - 1)
    frames = list(chain.from_iterable(blocks))
    assert len(frames) > 20
    for lines, sequences in zip(written, zip(*((f.bases, f.residues) for f in frames), strict=True), strict=True):
        assert lines == [text for f, each in zip(frames, sequences, strict=True) for text in (f">{f.name}", each)]
    names = [line[1:].split()[0] for line in READS.read_text().splitlines() if line.startswith(">")]
    assert check_records(READS) == (len(names), None)
    assert all(frame.name.startswith(f"{names[frame.record]}_chunk_") for frame in frames)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.fa", "", "contains no FASTA record"),
        ("a.faa", ">a\nACGT\n", "has the name of a protein file; rename it if it contains nucleotides"),
        ("a.fa", ">a\nMKL*\n", "line 2: 'L' in record 'a' is not a nucleotide"),
        ("a.npz", "PK\x03\x04", r"does not begin with a FASTA header \('>'\)"),
    ],
)
def test_a_file_that_is_not_of_nucleotides_is_refused(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"^{tmp_path / name}: {reason}$"):
        check_records(tmp_path / name)


def test_records_of_one_name_are_doubtful_and_a_label_is_no_path(tmp_path: Path) -> None:
    path = tmp_path / "a.fa"
    path.write_text(">../x first\n" + "acg" * 9 + "\n>../x\nNNNXXXNNN\n")
    assert check_records(path) == (
        2,
        "several records are named '../x', so their results cannot be told apart; rename them",
    )
    (block,) = frame_blocks(path, 500, size=9)
    assert {(frame.record, frame.name[:-2]) for frame in block} == {(0, "../x_chunk_1")}
    assert block[0].bases == "ACG" * 9
