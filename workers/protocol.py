"""The messages between the launcher and its workers: one request, one answer. Not the event bus.

A worker reports how files ended and gets more. It holds one that it works on, and short ones ahead of their turn;
what the launcher wants back of those it takes by making their output folders before the worker does. A request
carries a number, and the launcher gives the same number the same answer, so a worker may send a request again.
`process/channel.py` is the worker's end, `pool/dispatcher.py` the launcher's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from virnucpro_bus.errors import ChannelError
from workers.inputs.input_file import FileState

Text = Annotated[str, Meta(max_length=4096)]
# msgspec checks nesting and text with Python's own exceptions.
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class WorkerConfig(Struct, frozen=True):
    """The configuration of a worker process, which reads it from its standard input as JSON."""

    slot: int
    """The worker's number in the pool, from 0."""
    token: str
    channel: str
    """Address of the launcher's end of this protocol."""
    publish: str
    """Address at which the hub receives events."""
    run: str
    host: str
    """The host that the run's events name."""
    source: str
    epoch: int
    device_key: str
    device_name: str
    device_index: int | None
    job: str
    options: dict[str, str]
    target: str | None = None
    """MODULE:ATTR that the name `job` stands for; None: `job` is not a name."""
    device_label: str = ""


class Settled(Struct, frozen=True, array_like=True, tag="settled"):
    """A leased file is completed or has failed."""

    frame: bytes
    """The event that reports it, with its envelope, not yet sent on the bus."""
    size_bytes: int = 0
    """Bytes of all results; they are synced to the disk."""
    digest: str = ""
    """Digest of all results (commit/manifest.py)."""
    stop_reason: Text | None = None
    """Why the attempt failed, if that fails every file: it is charged to none, and the run ends."""
    warning: Text | None = None
    """What the job warns of, although the file is completed; None: nothing."""
    input_digest: str = ""
    """The SHA-256 of the input, hexadecimal."""


class Unable(Struct, frozen=True, array_like=True, tag="unable"):
    """The worker cannot run the job at all: it does not load."""

    reason: Text
    disk_full: bool = False
    """Whether that is because the disk is full, so that neither job nor device is to blame."""


class Request(Struct, frozen=True, array_like=True):
    """Worker to launcher: reports what was settled and asks for files."""

    token: Text
    """Proves that the launcher started this worker."""
    slot: int
    epoch: int
    number: int
    """Counts the worker's requests; the same number is the same request."""
    settled: tuple[Settled, ...] = ()
    """Of the files that the worker holds the first ones, in order."""
    unable: Unable | None = None
    """Why the worker cannot work; None: it can."""


class Task(Struct, frozen=True, array_like=True):
    """One leased file. Paths are bytes, because file names need not be UTF-8."""

    file: Text
    """Its id."""
    path: bytes
    output: bytes
    """The folder for the results. The worker creates it to begin; if it exists, the file was taken back."""
    attempt: int
    """From 1."""
    stolen_from: str | None = None
    """Key of the victim; None: not stolen."""
    stolen_at_ns: int = 0
    """Wall-clock time of the steal; 0: not stolen."""
    state: FileState | None = None
    """The state that the input must have before and after the attempt; None: any."""
    is_last: bool = True
    """Whether the file is not tried again if this attempt fails."""


class Refusal(Struct, frozen=True, array_like=True):
    """The results that a worker has reported were not accepted: it reports a failure instead."""

    reason: Text
    is_final: bool = False
    """Whether the file has failed for good."""


class Answer(Struct, frozen=True, array_like=True):
    """Launcher to worker: the answer to request `number`."""

    number: int
    tasks: tuple[Task, ...] | None = None
    """What the worker does after the files that it holds; it may be nothing. None: no more files, it ends."""
    refusals: tuple[Refusal | None, ...] = ()
    """For each that was settled. None, or no entry: it is accepted, and the worker sends its event on the bus."""


_encode = msgspec.msgpack.Encoder().encode
_decode_request = msgspec.msgpack.Decoder(Request).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode


def encode_request(request: Request) -> bytes:
    """Return the message that a worker sends."""
    return _encode(request)


def decode_request(message: bytes) -> Request:
    """Return the request in a worker's message. Raises ChannelError when it is malformed."""
    try:
        return _decode_request(message)
    except _MALFORMED as error:
        raise ChannelError(f"the message is not a request: {error}") from None


def encode_answer(answer: Answer) -> bytes:
    """Return the message that the launcher sends."""
    return _encode(answer)


def decode_answer(message: bytes) -> Answer:
    """Return the answer in the launcher's message. Raises ChannelError when it is malformed."""
    try:
        return _decode_answer(message)
    except _MALFORMED as error:
        raise ChannelError(f"the message is not an answer: {error}") from None


def to_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a path as the bytes that a message carries."""
    return os.fsencode(path)


def to_path(raw: bytes) -> Path:
    """Return the path that a message carries."""
    return Path(os.fsdecode(raw))


def run_folder_of(task: Task) -> Path:
    """Return the run folder, below which the results folders of all attempts are."""
    return to_path(task.output).parent.parent
