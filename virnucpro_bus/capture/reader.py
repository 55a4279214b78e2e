"""Reads a capture: plain, compressed, damaged, cut at any byte, or still being written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from virnucpro_bus.capture.compression import ZSTD_MAGIC, decompressed
from virnucpro_bus.capture.records import (
    _CHUNK_BYTES,
    HEADER,
    MAGIC,
    VERSION,
    Record,
    RecordScanner,
)
from virnucpro_bus.errors import CaptureError


class CaptureReader:
    """Reads a capture file, also one that is being written. Raises CaptureError when it is not a capture."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scanner = RecordScanner()
        try:
            start = next((piece for _, piece in self._pieces() if piece), b"")
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None
        header = start[: HEADER.size]
        if len(header) < HEADER.size and header == HEADER.pack(MAGIC, VERSION, 0)[: len(header)]:
            return  # cut within its header: it held nothing yet
        if header[:-4] == HEADER.pack(MAGIC, VERSION, 0)[:-4] or _holds_a_record(start):
            return
        if header.startswith(MAGIC):
            raise CaptureError(f"{path}: was written by a newer version of virnucpro-bus than this one")
        raise CaptureError(f"{path}: is not a capture of virnucpro-bus")

    def batches(self) -> Iterator[list[Record]]:
        """The records in order, about a megabyte at a time; afterwards `scanner` tells of any damage."""
        scanner = self.scanner = RecordScanner()
        for skipped_bytes, piece in self._pieces():
            if skipped_bytes:
                yield scanner.skip(skipped_bytes)
            yield scanner.feed(piece)
        yield scanner.finish()

    def __iter__(self) -> Iterator[Record]:
        for batch in self.batches():
            yield from batch

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """The capture in pieces of a megabyte, each with the number of bytes before it that could not be read."""
        with open(self.path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CaptureError(f"{self.path}: is no file, and so no capture of virnucpro-bus")
            compressed = file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
            file.seek(0)
            if compressed:
                yield from decompressed(file)
            else:
                while data := file.read(_CHUNK_BYTES):
                    yield 0, data


def _without_waiting(path: str, flags: int) -> int:
    """Open what may be a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _holds_a_record(start: bytes) -> bool:
    """Whether the first megabyte of a file holds a record of ours: then only the header is damaged."""
    scanner = RecordScanner()
    return bool(scanner.feed(start) or scanner.finish())
