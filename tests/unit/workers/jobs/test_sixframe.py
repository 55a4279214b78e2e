"""The job sixframe, against the published outputs, against a slow version of the rules, and on bad input."""

from __future__ import annotations

import gzip
import hashlib
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xopen import xopen

from tests.support.paths import DATA
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import InputError, UserError
from workers.inputs.names import COMPRESSION_SUFFIXES
from workers.jobs import JobContext, sequence_file, sixframe
from workers.jobs.fasta import Record
from workers.jobs.sixframe import chunk_option, chunk_starts, open_frames, run_sixframe

READS_NUCLEOTIDE_SHA256 = "f6bfae5d9078b411599506ae0af615b4db493691bff56277977775e4bde8dbbd"
READS_PROTEIN_SHA256 = "f62c594c5f86b9f608aa5f026ec6ac3856019d705deb97f9590caa7b01692cd1"

# The standard code as GenBank prints it, so that the reference shares nothing with the code under test.
_CODONS = [a + b + c for a in "TCAG" for b in "TCAG" for c in "TCAG"]
_CODE = dict(zip(_CODONS, "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", strict=True))
_PARTNER = {"A": "T", "C": "G", "G": "C", "T": "A"}

sequences = st.one_of(
    st.text(st.sampled_from("ACGT"), max_size=200),
    st.text(st.sampled_from("ACGTacgtNnUX*- "), max_size=200),
    # Codons that never stop, so that long frames are kept.
    st.lists(st.sampled_from(["GCC", "GCG", "CCG", "NNN"]), max_size=60).map("".join),
)


def plain_chunks(length: int, chunk: int) -> list[tuple[int, int]]:
    """Return the chunks by the sum of shifts, as the rule is written."""
    count = math.ceil(length / chunk)
    if count == 0:
        return []
    surplus = count * chunk - length
    least = surplus // count
    extra = surplus - least * (count - 1)
    chunks = []
    for k in range(count):
        shift = sum(least + 1 if j < extra else least for j in range(k))
        start = k * chunk - shift
        chunks.append((start, min(start + chunk, length)))
    return chunks


def plain_frames(sequence: str, chunk: int) -> list[tuple[str, str, str]]:
    """Return (chunk and frame, bases, residues) of the kept frames, codon by codon."""
    kept = []
    upper = sequence.upper().replace("U", "T")
    for number, (start, end) in enumerate(plain_chunks(len(upper), chunk), 1):
        forward = upper[start:end]
        reverse = "".join(_PARTNER.get(base, base) for base in reversed(forward))
        for letter, strand in (("F", forward), ("R", reverse)):
            for frame in range(3):
                protein = ""
                for at in range(frame, len(strand) - 2, 3):
                    protein += _CODE.get(strand[at : at + 3], "")
                if protein and "*" not in protein:
                    bases = strand[frame : frame + 3 * len(protein) + 1]
                    kept.append((f"{number}{letter}{frame + 1}", bases, protein))
    return kept


def fast_frames(records: list[str], chunk: int) -> list[list[tuple[str, ...]]]:
    kept = open_frames([record.encode() for record in records], chunk)
    return [[tuple(part.decode() for part in frame) for frame in frames] for frames in kept]


@pytest.fixture
def context() -> JobContext:
    return make_context()


def make_context(**options: str) -> JobContext:
    return JobContext("cpu", "cpu:0", options, on_progress=lambda *_: None, clock=ManualClock())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@given(sequences, st.integers(1, 80))
def test_frames_equal_those_of_a_plain_codon_loop(sequence: str, chunk: int) -> None:
    assert fast_frames([sequence], chunk) == [plain_frames(sequence, chunk)]


@given(st.lists(sequences, max_size=5), st.integers(1, 80))
def test_records_translated_together_do_not_touch_one_another(records: list[str], chunk: int) -> None:
    assert fast_frames(records, chunk) == [plain_frames(record, chunk) for record in records]


@given(sequences, st.integers(1, 80), st.integers(1, 200))
def test_frames_do_not_depend_on_how_many_bases_are_translated_at_a_time(
    sequence: str, chunk: int, batch: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sixframe, "_BATCH", batch)
        assert fast_frames([sequence], chunk) == [plain_frames(sequence, chunk)]


def test_frames_are_right_where_a_sequence_spans_translation_blocks() -> None:
    sequence = ("ACGTTGCAAC" * 13_200)[:131_075]
    assert fast_frames([sequence], 500) == [plain_frames(sequence, 500)]


@given(st.integers(0, 5_000), st.integers(1, 700))
def test_chunks_begin_where_the_sum_of_shifts_says(length: int, chunk: int) -> None:
    assert list(chunk_starts(length, chunk)) == [start for start, _ in plain_chunks(length, chunk)]


@given(st.integers(1, 5_000), st.integers(1, 700))
def test_chunks_leave_no_base_out(length: int, chunk: int) -> None:
    covered = 0
    for start in chunk_starts(length, chunk):
        assert start <= covered
        covered = min(start + chunk, length)
    assert covered == length


def test_the_lambda_genome_gives_the_expected_files(tmp_path: Path, context: JobContext) -> None:
    assert run_sixframe(DATA / "sample" / "lambda_virus.fa", tmp_path, context) == 1
    for name in ("lambda_virus.nucleotide.fa", "lambda_virus.protein.faa"):
        expected = DATA / "expected" / name.replace("virus.", "virus.500.")
        assert (tmp_path / name).read_bytes() == expected.read_bytes()


def test_the_two_thousand_reads_give_the_published_digests(tmp_path: Path, context: JobContext) -> None:
    reads = tmp_path / "reads.fa"
    with reads.open("wb") as whole:
        for part in sorted((DATA / "sample").glob("reads_*")):
            content = part.read_bytes()
            whole.write(gzip.decompress(content) if part.suffix == ".gz" else content)
    output = tmp_path / "out"
    output.mkdir()
    assert run_sixframe(reads, output, context) == 2000
    assert digest(output / "reads.nucleotide.fa") == READS_NUCLEOTIDE_SHA256
    assert digest(output / "reads.protein.faa") == READS_PROTEIN_SHA256


def test_a_gz_file_gives_what_the_plain_file_gives(tmp_path: Path, context: JobContext) -> None:
    packed = DATA / "sample" / "reads_06.fa.gz"
    plain = tmp_path / "reads_06.fa"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    outputs = []
    for folder, source in (("a", packed), ("b", plain)):
        (tmp_path / folder).mkdir()
        run_sixframe(source, tmp_path / folder, context)
        outputs.append({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()})
    assert outputs[0] == outputs[1]
    assert set(outputs[0]) == {"reads_06.nucleotide.fa", "reads_06.protein.faa"}


def test_the_option_chunk_sets_the_chunk_length(tmp_path: Path) -> None:
    source = tmp_path / "one.fa"
    source.write_text(">one more words\n" + "GCC" * 10 + "\n")
    run_sixframe(source, tmp_path, make_context(chunk="15"))
    ids = [line for line in (tmp_path / "one.protein.faa").read_text().splitlines() if line.startswith(">")]
    assert ids[0] == ">one_chunk_1F1"
    assert any("_chunk_2" in line for line in ids)


def test_a_record_without_sequence_is_counted_and_yields_nothing(tmp_path: Path, context: JobContext) -> None:
    source = tmp_path / "some.fa"
    source.write_text(">a\n>b\nGCCGCC\n>a\n")
    assert run_sixframe(source, tmp_path, context) == 3
    assert "a_chunk" not in (tmp_path / "some.protein.faa").read_text()


def test_records_of_one_name_are_all_written_with_a_warning(tmp_path: Path, context: JobContext) -> None:
    source = tmp_path / "twins.fa"
    source.write_text(">a\nGCCGCC\n>b\nGCC\n>a other\nGCCGCC\n")
    assert run_sixframe(source, tmp_path, context) == 3
    assert (tmp_path / "twins.protein.faa").read_text().count(">a_chunk_1F1\nAA\n") == 2
    assert context.warning == "several records are named 'a', so their results cannot be told apart; rename them"


def test_records_of_different_names_are_written_without_a_warning(tmp_path: Path, context: JobContext) -> None:
    source = tmp_path / "good.fa"
    source.write_text(">a\nGCCGCC\n>b\nGCC\n>A\nGCCGCC\n")
    run_sixframe(source, tmp_path, context)
    assert context.warning is None


def test_line_ends_of_other_systems_change_nothing(tmp_path: Path, context: JobContext) -> None:
    unix, dos = tmp_path / "unix.fa", tmp_path / "dos.fa"
    unix.write_bytes(b">a\nGCCG\nCC\n")
    dos.write_bytes(b">a\r\nGCCG\r\nCC\r\n")
    for source in (unix, dos):
        run_sixframe(source, tmp_path, context)
    assert (tmp_path / "unix.nucleotide.fa").read_bytes() == (tmp_path / "dos.nucleotide.fa").read_bytes()


def test_rna_gives_what_the_same_dna_gives(tmp_path: Path, context: JobContext) -> None:
    dna, rna = tmp_path / "dna.fa", tmp_path / "rna.fa"
    dna.write_text(">s\n" + "TAATAGTGAgcc" * 6 + "\n>t\nGCCGTTgtt\n")
    rna.write_text(">s\n" + "UAAUAGUGAgcc" * 6 + "\n>t\nGCCGUUguu\n")
    for source in (dna, rna):
        run_sixframe(source, tmp_path, context)
    assert (tmp_path / "rna.protein.faa").read_bytes() == (tmp_path / "dna.protein.faa").read_bytes()
    assert (tmp_path / "rna.nucleotide.fa").read_bytes() == (tmp_path / "dna.nucleotide.fa").read_bytes()
    assert b">t_chunk_1F1\nAVV\n" in (tmp_path / "rna.protein.faa").read_bytes()


def test_blanks_in_a_sequence_are_not_bases(tmp_path: Path, context: JobContext) -> None:
    tight, blocks = tmp_path / "tight.fa", tmp_path / "blocks.fa"
    tight.write_text(">s\nGCCGCCGCCGCC\n")
    blocks.write_text(">s\nGCC GCCG\t CCG\n  CC \n")
    for source in (tight, blocks):
        run_sixframe(source, tmp_path, context)
    assert (tmp_path / "blocks.nucleotide.fa").read_bytes() == (tmp_path / "tight.nucleotide.fa").read_bytes()


@pytest.mark.parametrize("suffix", COMPRESSION_SUFFIXES)
def test_every_compression_is_read_and_refused_where_it_is_cut(
    tmp_path: Path, context: JobContext, suffix: str
) -> None:
    source = tmp_path / f"s.fa{suffix}"
    with xopen(source, "wb", threads=0, format="gz" if suffix == ".bgz" else None) as file:
        file.write(b">s\nGCCGCC\n")
    assert run_sixframe(source, tmp_path, context) == 1
    assert (tmp_path / "s.protein.faa").read_text().startswith(">s_chunk_1F1\nAA\n")
    source.write_bytes(source.read_bytes()[:-6])
    with pytest.raises(InputError, match="cannot be read after record 0"):
        run_sixframe(source, tmp_path, context)


def test_progress_reports_the_records_read_so_far(tmp_path: Path) -> None:
    clock = ManualClock()
    reported: list[int] = []

    class EagerContext(JobContext):
        def progress(self, sequences: int, total: int | None = None) -> None:
            clock.advance(1)
            super().progress(sequences)

    source = tmp_path / "some.fa"
    source.write_text(f">a\n{'GCC' * 30_000}\n>b\n{'GCC' * 30_000}\n>c\nGCC\n")
    run_sixframe(
        source,
        tmp_path,
        EagerContext("cpu", "cpu:0", {}, on_progress=lambda done, _: reported.append(done), clock=clock),
    )
    assert reported == [1, 2, 3]


def test_records_without_a_base_are_taken_in_batches_too(tmp_path: Path) -> None:
    reported: list[int] = []

    class EveryBatch(JobContext):
        def progress(self, sequences: int, total: int | None = None) -> None:
            reported.append(sequences)

    source = tmp_path / "empty.fa"
    source.write_bytes(b">\n" * 200_000)
    context = EveryBatch("cpu", "cpu:0", {}, on_progress=lambda *_: None, clock=ManualClock())
    assert run_sixframe(source, tmp_path, context) == 200_000
    assert max(b - a for a, b in pairwise([0, *reported])) < 100_000


def test_a_record_that_does_not_fit_into_the_memory_is_reported(
    tmp_path: Path, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(blocks: object, alphabet: object) -> Iterator[Record]:
        yield b"a", b"GCC"
        raise MemoryError

    monkeypatch.setattr(sequence_file, "read_records", read)
    source = tmp_path / "huge.fa"
    source.write_bytes(b">a\n")
    with pytest.raises(UserError, match="record 2 does not fit into the memory") as caught:
        run_sixframe(source, tmp_path, context)
    assert not isinstance(caught.value, InputError)


_NOISE = hashlib.shake_256(b"noise").digest(20_000).hex().encode()
_PACKED = gzip.compress(b">a\n" + _NOISE + b"\n", mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.fa", b"", "contains no FASTA record"),
        ("a.fa", b"\n\n", "contains no FASTA record"),
        ("a.fa.gz", b"", "contains no FASTA record"),
        ("a.fa", b"ACGT\nACGT\n", "does not begin with a FASTA header"),
        ("a.fa", b"@r1\nACGT\n+\nIIII\n", "does not begin with a FASTA header"),
        ("a.fa", b"\x7fELF\x02\x01\x01\x00\x00\x00\n", "does not begin with a FASTA header"),
        ("a.fa", b">a\nAC\x00\x01GT\n", r"line 2: '\x00' in record 'a' is not a nucleotide"),
        ("a.fa", b">a\nACGT\n>b\n\xff\xfe\xfd\n", r"line 4: '\xff' in record 'b' is not a nucleotide"),
        ("a.faa", b">a\nMKV\n>b\nMKVL\n", "line 4: 'L' in record 'b' is not a nucleotide"),
        ("a.faa.gz", gzip.compress(b">a\nMKV\n", mtime=0), "has the name of a protein file"),
        ("a.fa.gz", _PACKED[:9_000], "cannot be read"),
        ("a.fa.gz", _PACKED[:6], "cannot be read"),
        ("a.fa.gz", _PACKED[:500] + b"\xff\x00\xff" + _PACKED[503:], "cannot be read"),
        ("a.fa.gz", b">a\nACGT\n", "cannot be read"),
    ],
)
def test_a_file_that_is_not_fasta_is_reported_with_the_reason_in_one_line(
    tmp_path: Path, context: JobContext, name: str, content: bytes, message: str
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    output = tmp_path / "out"
    output.mkdir()
    with pytest.raises(InputError) as caught:
        run_sixframe(source, output, context)
    text = str(caught.value)
    assert text.startswith(f"{source}: ")
    assert message in text
    assert text.isprintable()


def test_a_missing_file_is_an_input_error(tmp_path: Path, context: JobContext) -> None:
    with pytest.raises(InputError, match="No such file"):
        run_sixframe(tmp_path / "gone.fa", tmp_path, context)


@pytest.mark.parametrize("chunk", ["0", "-1", "1.5", "many", "", "²", "9" * 30])
def test_a_chunk_that_is_not_a_whole_number_of_bases_is_refused(chunk: str) -> None:
    with pytest.raises(UserError, match="whole number of bases"):
        chunk_option({"chunk": chunk})
