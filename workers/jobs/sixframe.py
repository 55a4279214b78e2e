"""The job "sixframe", VirNucPro's first stage: cuts sequences into chunks and keeps frames without a stop codon.

The rules are VirNucPro's own and are followed exactly, because its models were trained on such output:

- a record of length L is cut into ceil(L / chunk) chunks of length `chunk`, shifted so that they overlap evenly;
- each chunk is translated in three frames forward, then in three of its reverse complement; a codon with any
  letter but A, C, G, T contributes nothing, an incomplete last codon is dropped;
- a frame with no stop and at least one residue is kept, with its translation (length p) and its nucleotides, of
  which there are 3p + 1 where the chunk has that many.

One rule is ours: U is read as T, so that RNA has stop codons too. VirNucPro's first stage has none for it.

It is fast because it does not go codon by codon: a batch of records is translated at every position at once, by
arithmetic on whole blocks of bytes, and laid out by phase, so that a frame of a chunk is a plain slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path

from virnucpro_bus.errors import UserError
from workers.inputs.names import stem_of
from workers.jobs.fasta import Record
from workers.jobs.interface import JobContext
from workers.jobs.named_job import JobOption, NamedJob
from workers.jobs.record_names import RecordNames
from workers.jobs.sequence_file import nucleotide_records

DEFAULT_CHUNK = 500

_BASES = b"TCAG"
_RESIDUES = b"FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
_STOP = b"*"
_NOTHING = b"-"
_FRAME_NUMBER = (b"1", b"2", b"3")
_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")
_DNA = bytes(range(256)).upper().replace(b"U", b"T")
"""Translates both cases to upper case, and RNA to DNA."""

# A codon is a number of three digits in base 5: the bases are 0 to 3, any other letter is 4. The highest, 124,
# fits into a byte, so that whole blocks of digits can be multiplied and added as one big number without a carry.
_OTHER = len(_BASES)
_DIGIT = bytes(_BASES.find(letter) if letter in _BASES else _OTHER for letter in range(256))


def _residue(digits: tuple[int, ...]) -> int:
    if _OTHER in digits:
        return _NOTHING[0]
    first, second, third = digits
    return _RESIDUES[16 * first + 4 * second + third]


def _complement(digit: int) -> int:
    return digit if digit == _OTHER else _BASES.index(_COMPLEMENT[_BASES[digit]])


_CODONS = list(product(range(5), repeat=3))
_FORWARD_RESIDUE = bytes(map(_residue, _CODONS)).ljust(256, _NOTHING)
_REVERSE_RESIDUE = bytes(
    _residue(tuple(_complement(digit) for digit in reversed(codon))) for codon in _CODONS
).ljust(256, _NOTHING)

_BATCH = 1 << 16
"""Bases translated at a time: enough for the cost of a call to be small, few enough to need little memory."""


Frame = tuple[bytes, bytes, bytes]
"""A kept frame: number of its chunk and the frame (such as b"3R2"), bases, residues."""


def chunk_option(options: Mapping[str, str], job: str = "sixframe") -> int:
    """Return the chunk length in bases that `options` of `job` set. Raises UserError for an invalid option."""
    given = options.get("chunk", str(DEFAULT_CHUNK))
    if not (given.isascii() and given.isdecimal() and len(given) < 19 and int(given) >= 1):
        raise UserError(f"option chunk of job {job} must be a whole number of bases, at least 1, not {given!r}")
    return int(given)


SIXFRAME = NamedJob(
    summary="VirNucPro's first stage: chunks of the sequences, translated in the frames without a stop codon",
    target="workers.jobs.sixframe:run_sixframe",
    options=(JobOption("chunk", "length of the chunks in bases", default=str(DEFAULT_CHUNK)),),
    check=chunk_option,
    reads="nucleotides",
)


def run_sixframe(input: Path, output: Path, context: JobContext) -> int:
    """Write `<stem>.nucleotide.fa` and `<stem>.protein.faa` into `output`; return the number of records read.

    Raises InputError when `input` is not a FASTA file of nucleotides with at least one record. Warns of a name
    that is empty or not unique.
    """
    chunk = chunk_option(context.options)
    stem = stem_of(input)
    records = 0
    names = RecordNames()
    with (
        (output / f"{stem}.nucleotide.fa").open("wb") as nucleotides,
        (output / f"{stem}.protein.faa").open("wb") as proteins,
    ):
        for batch in _batches(nucleotide_records(input)):
            kept = open_frames([sequence for _, sequence in batch], chunk)
            for (name, _), frames in zip(batch, kept, strict=True):
                for frame_id, bases, residues in frames:
                    header = b">%b_chunk_%b\n" % (name, frame_id)
                    nucleotides.write(header + bases + b"\n")
                    proteins.write(header + residues + b"\n")
            names.add([name for name, _ in batch])
            records += len(batch)
            context.progress(records)
    if names.problem is not None:
        context.warn(names.problem)
    return records


def open_frames(sequences: Sequence[bytes], chunk: int) -> Iterator[Iterable[Frame]]:
    """Yield each record's kept frames in output order. One record alone may be long: it is translated in parts."""
    if len(sequences) == 1:
        yield _frames_of_one(sequences[0], chunk)
        return
    # All records as one: no frame reaches beyond its chunk, so a codon across two records is never read.
    strands = _Strands(b"".join(sequences))
    offset = 0
    for sequence in sequences:
        frames: list[Frame] = []
        length = len(sequence)
        for number, start in enumerate(chunk_starts(length, chunk), 1):
            frames += strands.open_frames(number, offset + start, offset + min(start + chunk, length))
        yield frames
        offset += length


def _frames_of_one(sequence: bytes, chunk: int) -> Iterator[Frame]:
    """Yield the kept frames of one record, with as many chunks translated at a time as a batch has."""
    length = len(sequence)
    numbered = enumerate(chunk_starts(length, chunk), 1)
    while part := list(islice(numbered, max(1, _BATCH // chunk))):
        first, last = part[0][1], part[-1][1]
        strands = _Strands(sequence[first : last + chunk])
        for number, start in part:
            yield from strands.open_frames(number, start - first, min(start + chunk, length) - first)


class _Strands:
    """Bases and their reverse complement, translated at every position."""

    def __init__(self, sequence: bytes) -> None:
        self._forward = sequence.translate(_DNA)
        self._reverse = self._forward.translate(_COMPLEMENT)[::-1]
        self._forward_residues, self._reverse_residues = _residues_by_phase(self._forward)

    def open_frames(self, number: int, begin: int, end: int) -> list[Frame]:
        """Return the kept frames of the chunk [begin, end), which is chunk `number` of its record."""
        if end - begin < 3:
            return []
        total = len(self._forward)
        kept = []
        for label, strand, residues_by_phase, first_base, stop in (
            (b"%dF" % number, self._forward, self._forward_residues, begin, end),
            # The reverse complement of a part is a part of the reverse complement.
            (b"%dR" % number, self._reverse, self._reverse_residues, total - end, total - begin),
        ):
            for frame in range(3):
                start = first_base + frame
                first = start // 3
                last = first + (stop - start) // 3
                translated = residues_by_phase[start % 3]
                if translated.find(_STOP, first, last) < 0:
                    residues = translated[first:last].replace(_NOTHING, b"")
                    if residues:
                        bases = strand[start : min(start + 3 * len(residues) + 1, stop)]
                        kept.append((label + _FRAME_NUMBER[frame], bases, residues))
        return kept


def chunk_starts(length: int, chunk: int) -> Iterator[int]:
    """Yield where the chunks of a sequence begin; each is `chunk` long or ends with the sequence."""
    count = -(-length // chunk)
    if not count:
        return
    surplus = count * chunk - length
    least_shift = surplus // count
    # The first chunks move back by one base more, until the surplus is used up.
    extra = surplus - least_shift * (count - 1)
    for index in range(count):
        yield index * (chunk - least_shift) - min(index, extra)


def _residues_by_phase(forward: bytes) -> tuple[list[bytes], list[bytes]]:
    """Translate `forward` and its reverse complement: byte i of item p is the residue of the codon at 3 i + p."""
    codons = b"".join(
        _codon_numbers(forward[begin : begin + _BATCH + 2]) for begin in range(0, len(forward) - 2, _BATCH)
    )
    reverse_codons = codons[::-1]
    return (
        [codons[phase::3].translate(_FORWARD_RESIDUE) for phase in range(3)],
        [reverse_codons[phase::3].translate(_REVERSE_RESIDUE) for phase in range(3)],
    )


def _codon_numbers(block: bytes) -> bytes:
    """Return the number of the codon that begins at each position but the last two."""
    digits = int.from_bytes(block.translate(_DIGIT), "little")
    numbers = 25 * digits + 5 * (digits >> 8) + (digits >> 16)
    return numbers.to_bytes(len(block), "little")[:-2]


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Yield `records` in lists of about _BATCH bytes; a record that is longer is alone in its list."""
    batch: list[Record] = []
    size = 0
    for record in records:
        # Records without a base have a size too: a file may hold nothing else.
        record_size = len(record[0]) + len(record[1]) + 1
        if size + record_size > _BATCH and batch:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record_size
    if batch:
        yield batch
