"""FASTA: blocks of bytes in, records out, in memory that does not grow with the file.

What is read is what Biopython reads: lines may end in LF, CRLF or CR; blanks and tabs inside a sequence are taken
out; empty lines, and lines that begin with "#", are skipped. Only the first word of a header is used, so the rest
of it may be anything. Everything else is refused with its line: text that is left out or misread would only show
in the results.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator

from virnucpro_bus.errors import InputError
from virnucpro_bus.text import visible

MAX_RECORD_BYTES = 1 << 30
"""The longest record that is read, header and line ends included: four times the longest human chromosome."""

_BLANKS = b" \t\v\f\n"
_HEADER_START = re.compile(rb"\n[ \t]*>")
_COMMENT = re.compile(rb"\n[ \t]*#[^\n]*")
# NCBI joins the headers of identical sequences with this character.
_HEADER_END = b"\x01"


Record = tuple[bytes, bytes]
"""Name and sequence. The name is the first word of the header, in printable UTF-8; empty if the header has none.
The sequence is as in the file, without blanks: letters of its alphabet."""


class Alphabet:
    """The letters that a sequence may consist of."""

    def __init__(self, letters: bytes, member: str) -> None:
        """`member` is what one of the letters is, for error messages."""
        self.letters = letters
        self.member = member
        self.other = re.compile(rb"[^%b%b]" % (re.escape(letters), _BLANKS))
        """Finds a letter that is not one of them, and not a blank."""


NUCLEOTIDES = Alphabet(b"ACGTUacgtuRYSWKMBDHVNXryswkmbdhvnx-.", "a nucleotide")
"""The IUPAC code, X (masked, like N), and gaps."""
AMINO_ACIDS = Alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*-.", "an amino acid")
"""The IUPAC code, with U, O and the ambiguous B, J, X and Z; "*" for a stop; and gaps."""


class RawRecord:
    """One record as it stands in the file."""

    __slots__ = ("_body", "_header", "_line", "_size_bytes")

    def __init__(self, text: bytes, line: int) -> None:
        """`text` follows the ">"; `line` is the number of the header's line, from 1."""
        end = text.find(b"\n")
        self._header, body = (text[:end], text[end:]) if end >= 0 else (text, b"")
        self._line = line
        self._size_bytes = len(text)
        self._body = [body]

    def append(self, lines: bytes) -> None:
        """Add lines of the sequence, each with the line end before it. Raises InputError if they are too many."""
        self._size_bytes += len(lines)
        if self._size_bytes > MAX_RECORD_BYTES:
            raise InputError(f"record {self} is longer than {MAX_RECORD_BYTES >> 30} GiB; split it")
        self._body.append(lines)

    def parse(self, alphabet: Alphabet) -> Record:
        """Return the record. Raises InputError if it contains what is not in `alphabet`."""
        body = b"".join(self._body)
        sequence = body.translate(None, _BLANKS)
        if sequence.translate(None, alphabet.letters):
            wrong = alphabet.other.search(body)
            assert wrong is not None
            line = self._line + body.count(b"\n", 0, wrong.start())
            raise InputError(f"line {line}: {self._describe(wrong[0], alphabet)}")
        return self._name(), sequence

    def _describe(self, letter: bytes, alphabet: Alphabet) -> str:
        if letter == b">":
            return f"'>' within the sequence of record {self}; begin each record on a line of its own"
        shown = visible(letter.decode(errors="surrogateescape"))
        return f"'{shown}' in record {self} is not {alphabet.member}"

    def _name(self) -> bytes:
        words = self._header.partition(_HEADER_END)[0].split(None, 1)
        if not words:
            return b""
        name = words[0].decode(errors="surrogateescape")
        # Nearly every name, and reads have many.
        return words[0] if name.isascii() and name.isprintable() else visible(name).encode()

    def __str__(self) -> str:
        name = self._name().decode()
        return f"'{name[:100]}'" if name else f"of line {self._line}"


def read_records(blocks: Iterable[bytes], alphabet: Alphabet) -> Iterator[Record]:
    """Yield the records of a file of `alphabet`. Raises InputError, without the file's name, if it is not one."""
    return (record.parse(alphabet) for record in split_records(blocks))


def split_records(blocks: Iterable[bytes]) -> Iterator[RawRecord]:
    """Yield the records of any FASTA file. Raises InputError, without the file's name, if it is not FASTA."""
    record: RawRecord | None = None
    line = 0
    for lines in _whole_lines(blocks):
        before, *records = _HEADER_START.split(_COMMENT.sub(b"\n", lines) if b"#" in lines else lines)
        if record is not None:
            record.append(before)
        elif not before.isspace() and before:
            raise InputError(_why_not_fasta(before.strip()))
        line += before.count(b"\n")
        for text in records:
            if record is not None:
                yield record
            line += 1
            record = RawRecord(text, line)
            line += text.count(b"\n")
    if record is not None:
        yield record


def _why_not_fasta(text: bytes) -> str:
    if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "is UTF-16 text; convert it to UTF-8"
    if text.startswith(b"@"):
        return "does not begin with a FASTA header ('>') but with '@', as FASTQ does; convert it to FASTA"
    return "does not begin with a FASTA header ('>')"


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks anew, so that each begins with the line end before its first line. All ends become LF."""
    line = [b"\n"]
    size_bytes = 0
    for block in _with_lf(blocks):
        end = block.rfind(b"\n")
        if end >= 0:
            yield b"".join([*line, block[:end]])
            line, size_bytes = [], 0
        line.append(block[max(end, 0) :])
        size_bytes += len(line[-1])
        if size_bytes > MAX_RECORD_BYTES:
            raise InputError(f"contains a line longer than {MAX_RECORD_BYTES >> 30} GiB; not a FASTA file")
    yield b"".join(line)


def _with_lf(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks with LF for CRLF and CR, and without the byte order mark of UTF-8."""
    held = b""
    is_first = True
    for block in blocks:
        text = held + block
        if is_first:
            if len(text) < len(BOM_UTF8):
                held = text
                continue
            text = text.removeprefix(BOM_UTF8)
            is_first = False
        # The other half of a CRLF may follow in the next block.
        held = text[-1:] if text.endswith(b"\r") else b""
        text = text.removesuffix(b"\r")
        yield text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
    yield held.replace(b"\r", b"\n")
