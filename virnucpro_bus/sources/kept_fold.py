"""The fold of a run that is over, kept beside its capture: a long run is not folded again for each question.

    file    = magic (8 bytes) length (u32, little-endian) header snapshot digest
    header  = KeptHeader as MessagePack, of `length` bytes; `snapshot` as in snapshot/format.py
    digest  = SHA-256 of all before it (32 bytes)

It answers for one capture: that whose bytes, all of them, have the digest in the header. A capture that was
changed, cut off or continued has another one, and is read itself. So is it where the file is damaged, of another
version of the program, or missing: nothing depends on it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from hashlib import file_digest, sha256
from io import BufferedReader
from itertools import chain
from pathlib import Path

import msgspec

from virnucpro_bus.capture.info import CaptureInfo
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.vocabulary import Count
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.plain_files import open_plain_file
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import Effect
from virnucpro_bus.run_folder import fold_path, remove_kept_fold
from virnucpro_bus.snapshot.format import pack, unpack
from virnucpro_bus.system.memory import all_stays_in_use, without_garbage_search

MIN_EVENTS = 10_000
"""The fold of a capture with fewer events is not kept: it takes a tenth of a second."""
MAX_HEADER_BYTES = 64 << 20
_MAGIC = b"\x89VFOLD\r\n"
_LENGTH = struct.Struct("<I")
_DIGEST_BYTES = 32
_READ_BYTES = 1 << 20


class KeptHeader(msgspec.Struct, array_like=True):
    """What is known of the fold before it is read."""

    version: str
    """Of the program that has computed all this."""
    capture_bytes: Count
    capture_digest: bytes
    ended_ns: Count
    """When the last record was received: the time that counts as now."""
    info: CaptureInfo
    """As `capture_info` returns it, but for the path and the size."""
    effects: dict[str, Effect]
    """By host."""


def _version() -> str:
    from importlib.metadata import version  # takes long to load, and most captures have no fold beside them

    return version("virnucpro-bus")


def keep_fold(capture: Path, info: CaptureInfo, fleet: FleetState, ended_ns: int) -> None:
    """Keep the fold of a whole capture, and what `capture_info` found in it, if that is worth it.

    Not of a short capture or a damaged one, nor while the run is not over. Where the disk does not permit it, no
    fold is kept.
    """
    is_damaged = info["damaged_places"] or info["skipped_bytes"]
    if info["events"] < MIN_EVENTS or is_damaged or info["ending"] != "finished" or not fleet.finished:
        return
    try:
        size_bytes, digest = _identity(capture)
        header = KeptHeader(_version(), size_bytes, digest, ended_ns, info, fleet.effects_by_host())
        encoded, hashed = msgspec.msgpack.encode(header), sha256()
        with without_garbage_search(), Disk().replace_atomically(fold_path(capture), durable=False) as file:
            for piece in chain((_MAGIC, _LENGTH.pack(len(encoded)), encoded), pack(fleet.fold())):
                hashed.update(piece)
                file.write(piece)
            file.write(hashed.digest())
    except OSError:
        remove_kept_fold(capture)


def read_kept_info(capture: Path) -> CaptureInfo | None:
    """Return what `capture_info` would return; None: no fold is kept of the capture as it is."""
    try:
        with open_plain_file(fold_path(capture)) as file:
            return _checked_header(file, capture).info
    except (OSError, SnapshotError):
        return None


def read_kept_fold(capture: Path, interval_seconds: float = 2.0) -> FleetState | None:
    """Return the fleet after its last event; None: no fold is kept of the capture as it is.

    `interval_seconds`: see FleetState. Nothing may be fed to it.
    """
    try:
        with open_plain_file(fold_path(capture)) as file, all_stays_in_use():
            header = _checked_header(file, capture)
            fold = unpack(_snapshot_in(file))
    except (OSError, SnapshotError):
        return None
    fleet = FleetState(ManualClock(header.ended_ns, header.ended_ns), interval_seconds=interval_seconds)
    fleet.load(fold, header.effects)
    return fleet


# Made here, once: two threads that make decoders of one type at the same time can crash in msgspec.
_decode_header = msgspec.msgpack.Decoder(KeptHeader).decode


def _checked_header(file: BufferedReader, capture: Path) -> KeptHeader:
    """Read the header of an undamaged file, which belongs to the capture. Raises SnapshotError, OSError."""
    start = file.read(len(_MAGIC) + _LENGTH.size)
    if len(start) < len(_MAGIC) + _LENGTH.size or not start.startswith(_MAGIC):
        raise SnapshotError("not a fold")
    (length,) = _LENGTH.unpack_from(start, len(_MAGIC))
    if length > MAX_HEADER_BYTES:
        raise SnapshotError("too long a header")
    try:
        header: KeptHeader = _decode_header(encoded := file.read(length))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotError(f"a damaged header: {error}") from None
    if header.version != _version() or header.capture_bytes != capture.stat().st_size:
        raise SnapshotError("of another version, or of another capture")
    hashed = sha256(start + encoded)
    for piece in _snapshot_in(file):
        hashed.update(piece)
    if file.read() != hashed.digest() or _identity(capture) != (header.capture_bytes, header.capture_digest):
        raise SnapshotError("damaged, or of another capture")
    file.seek(len(start) + length)
    header.info |= {"path": str(capture), "size_bytes": header.capture_bytes}
    return header


def _snapshot_in(file: BufferedReader) -> Iterator[bytes]:
    """Yield what is between the place in the file and the digest at its end."""
    remaining = os.fstat(file.fileno()).st_size - file.tell() - _DIGEST_BYTES
    while remaining > 0 and (piece := file.read(min(remaining, _READ_BYTES))):
        remaining -= len(piece)
        yield piece


def _identity(capture: Path) -> tuple[int, bytes]:
    """Return the length and the digest of a whole file: the only proof that nothing of it has changed."""
    with open_plain_file(capture) as file:
        digest = file_digest(file, sha256).digest()
        return file.tell(), digest
