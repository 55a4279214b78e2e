"""Reads captures: plain, compressed, damaged, cut off at any byte, or still being written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from virnucpro_bus.capture.compression import ZSTD_MAGIC, decompressed
from virnucpro_bus.capture.records import CHUNK_BYTES, HEADER, MAGIC, VERSION, Record, RecordScanner
from virnucpro_bus.errors import CaptureError


class CaptureReader:
    """Iterates over the records of a capture file, in order, as often as needed. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Check that `path` is a capture. Raises CaptureError when it is not one, or cannot be read."""
        self.path = path
        self.scanner = RecordScanner()
        """Of the last pass over the file: counts its damage."""
        try:
            start = next((piece for _, piece in self._pieces() if piece), b"")
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None
        header = start[: HEADER.size]
        if len(header) < HEADER.size and header == HEADER.pack(MAGIC, VERSION, 0)[: len(header)]:
            return  # cut off within its header: it held no record yet
        if header[:-4] == HEADER.pack(MAGIC, VERSION, 0)[:-4] or _has_record(start):
            return
        if header.startswith(MAGIC):
            raise CaptureError(f"{path}: was written by a newer version of virnucpro-bus than this one")
        raise CaptureError(f"{path}: is not a capture of virnucpro-bus")

    def batches(self) -> Iterator[list[Record]]:
        """Yield the records in order, about a megabyte at a time; afterwards `scanner` has counted any damage."""
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
        """Yield the capture in pieces of up to 1 MiB, each with the number of unreadable bytes before it."""
        with open(self.path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CaptureError(f"{self.path}: is not a file, and so not a capture of virnucpro-bus")
            compressed = file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
            file.seek(0)
            if compressed:
                yield from decompressed(file)
            else:
                while data := file.read(CHUNK_BYTES):
                    yield 0, data


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file that may be a pipe without a writer, or a terminal."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _has_record(start: bytes) -> bool:
    """Whether the first megabyte of a file holds a valid record: then only the header is damaged."""
    scanner = RecordScanner()
    return bool(scanner.feed(start) or scanner.finish())
