"""FASTA is read as a plain loop over its lines reads it, however its bytes arrive; the rest is refused by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import InputError
from workers.jobs import fasta
from workers.jobs.fasta import AMINO_ACIDS, NUCLEOTIDES, Alphabet, read_records, split_records


def records(content: bytes, alphabet: Alphabet = NUCLEOTIDES) -> list[tuple[bytes, bytes]]:
    return list(read_records([content], alphabet))


def refusal(content: bytes, alphabet: Alphabet = NUCLEOTIDES) -> str:
    with pytest.raises(InputError) as caught:
        records(content, alphabet)
    assert str(caught.value).isprintable()
    return str(caught.value)


def plain_records(content: bytes) -> list[tuple[bytes, bytes]]:
    """The records, line by line; for ASCII names."""
    found: list[tuple[bytes, bytes]] = []
    for line in map(bytes.strip, re.split(rb"\r\n|\r|\n", content.removeprefix(b"\xef\xbb\xbf"))):
        if line.startswith(b">"):
            found.append(((line[1:].split(b"\x01")[0].split() or [b""])[0], b""))
        elif line and not line.startswith(b"#"):
            name, sequence = found[-1]
            found[-1] = (name, sequence + b"".join(line.split()))
    return found


line_ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b" \n"])
sequence_lines = st.sampled_from(
    [b"ACGT", b"acgun", b"", b" \t", b"AC GT\tRYSWKM", b"  BDHV-.X", b"# a comment > x", b" #"]
)
headers = st.sampled_from([b">", b">a", b"> b c", b" >d", b">e\x01f g", b">h # i > j", b">k\tl"])
lines = st.tuples(st.one_of(headers, sequence_lines), line_ends).map(b"".join)
# What precedes the first header may not be part of a sequence.
files = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\n \r\n", b"# made by hand\n"]), headers, line_ends, st.lists(lines)
).map(lambda parts: b"".join([*parts[:3], *parts[3]]))


@st.composite
def files_in_blocks(draw: st.DrawFn) -> list[bytes]:
    content = draw(files)
    cuts = sorted(draw(st.sets(st.integers(0, len(content)), max_size=12)))
    return [content[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]


@given(files_in_blocks())
def test_records_equal_those_of_a_plain_loop_over_lines_wherever_the_blocks_end(blocks: list[bytes]) -> None:
    assert list(read_records(blocks, NUCLEOTIDES)) == plain_records(b"".join(blocks))


@given(files_in_blocks(), st.sampled_from([b"E", b"*", b"7", b"\xff", b"\0", b">"]))
def test_a_wrong_letter_is_refused_with_its_line_wherever_the_blocks_end(
    blocks: list[bytes], letter: bytes
) -> None:
    before = b"".join(blocks) + b"\n"
    number = len(re.split(rb"\r\n|\r|\n", before))
    with pytest.raises(InputError, match=f"^line {number}: "):
        list(read_records([*blocks, b"\nAC", letter, b"GT\n>later\nACGT\n"], NUCLEOTIDES))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("s1 Salix ×inventa".encode(), b"s1"),
        (b"s1 caf\xe9 in Latin-1", b"s1"),
        ("größe".encode(), "größe".encode()),
        (b"caf\xe9", rb"caf\xe9"),
        (b"X1.1 first [A]\x01X2.1 second [B]", b"X1.1"),
        (b"X1.1\x01X2.1", b"X1.1"),
        (b"s\x1b[2J description \x07", rb"s\x1b[2J"),
        ("s\u202egnp".encode(), rb"s\u202egnp"),
        (b"gi|1|gb|A.1| a > b", b"gi|1|gb|A.1|"),
        (b"", b""),
    ],
)
def test_a_name_is_the_first_word_of_a_header_in_any_encoding(header: bytes, name: bytes) -> None:
    assert records(b">" + header + b"\nACGT\n") == [(name, b"ACGT")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b">a\nACGT>b\nACGT\n", "line 2: '>' within the sequence of record 'a'"),
        (b">p x\nAC\n\nMKTL\n", "line 4: 'L' in record 'p' is not a nucleotide"),
        (b">a\n# E\r\nACGT\r\nAC*GT\r\n", "line 4: '*' in record 'a' is not a nucleotide"),
        (b">\n1 acgt\n", "line 2: '1' in record of line 1 is not a nucleotide"),
        (b">a\nACGT\n\xef\xbb\xbf>b\nACGT\n", r"line 3: '\xef' in record 'a' is not a nucleotide"),
        (b">a\nAC\xc2\xa0GT\n", r"line 2: '\xc2' in record 'a' is not a nucleotide"),
        (b">\x1b[2J\nE\n", r"line 2: 'E' in record '\x1b[2J' is not a nucleotide"),
        (b"ACGT\n>a\nACGT\n", "does not begin with a FASTA header ('>')"),
        (b"\n# x\nACGT\n", "does not begin with a FASTA header ('>')"),
        (b"@r\nACGT\n+\nIIII\n", "as FASTQ does; convert it to FASTA"),
        (">a\nACGT\n".encode("utf-16"), "is UTF-16 text; convert it to UTF-8"),
        (b"\xfe\xff" + ">a\nACGT\n".encode("utf-16-be"), "is UTF-16 text; convert it to UTF-8"),
    ],
)
def test_what_is_not_fasta_of_nucleotides_is_refused_with_line_record_and_letter(
    content: bytes, message: str
) -> None:
    assert message in refusal(content)


@pytest.mark.parametrize("letter", "acgturyswkmbdhvnxACGTURYSWKMBDHVNX-.")
def test_letters_of_the_iupac_code_are_nucleotides(letter: str) -> None:
    assert records(f">a\n{letter}\n".encode()) == [(b"a", letter.encode())]


@pytest.mark.parametrize("letter", "efijlopqzEFIJLOPQZ*?!;0")
def test_other_letters_are_not(letter: str) -> None:
    assert f"'{letter}' in record 'a' is not a nucleotide" in refusal(f">a\nAC{letter}\n".encode())


def test_letters_of_both_cases_a_stop_and_gaps_are_amino_acids_and_the_rest_is_refused() -> None:
    letters = bytes(range(ord("A"), ord("Z") + 1))
    for sequence in (letters, letters.lower(), b"*-."):
        assert records(b">p\n" + sequence + b"\n", AMINO_ACIDS) == [(b"p", sequence)]
    for letter in "7!?\0":
        assert "in record 'p' is not an amino acid" in refusal(f">p\nMK{letter}L\n".encode(), AMINO_ACIDS)


def test_a_file_of_nothing_has_no_records() -> None:
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", b"# empty\n"):
        assert records(content) == []


def endless(block: bytes) -> Iterator[bytes]:
    """A file that was small until it was decompressed."""
    while True:
        yield block


@pytest.mark.parametrize(
    ("start", "block", "message"),
    [
        (b">a\n", b"A" * 1000, "contains a line longer than"),
        (b">", b"A" * 1000, "contains a line longer than"),
        (b"", b"\0" * 1000, "contains a line longer than"),
        (b">a\n", b"ACGT\n" * 200, "record 'a' is longer than"),
        (b">a\n", b"\n" * 1000, "record 'a' is longer than"),
    ],
)
def test_an_endless_line_or_record_is_refused_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, start: bytes, block: bytes, message: str
) -> None:
    monkeypatch.setattr(fasta, "MAX_RECORD_BYTES", 10_000)
    with pytest.raises(InputError, match=message):
        list(read_records((each for blocks in ([start], endless(block)) for each in blocks), NUCLEOTIDES))


def test_records_of_proteins_can_be_split() -> None:
    assert sum(1 for _ in split_records([b">p\nMKTLE*\n>q\nMKV\n"])) == 2
