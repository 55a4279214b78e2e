"""What the launcher and its workers say to each other: one question, one answer (not the event bus).

A worker asks "this is done; what is next?" and is answered exactly once, also if it has to ask again: a request
carries a number, and the same number gets the same answer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from virnucpro_bus.errors import ChannelError
from workers.inputs import FileState

Text = Annotated[str, Meta(max_length=4096)]


class WorkerConfig(Struct, frozen=True):
    """What a worker process is told on its standard input, as JSON."""

    slot: int
    token: str
    channel: str
    publish: str
    run: str
    source: str
    epoch: int
    device_key: str
    device_name: str
    device_index: int | None
    job: str
    options: dict[str, str]


class Settled(Struct, frozen=True, array_like=True, tag="settled"):
    """The file in hand is finished or has failed. `frame` is the event that says so, stamped but not yet sent.

    When it is finished the disk has all results, so many bytes, known by `digest` (contents.py). `disk_full`: it
    has failed where there was no room left.
    """

    frame: bytes
    size_bytes: int = 0
    digest: str = ""
    disk_full: bool = False


class Unable(Struct, frozen=True, array_like=True, tag="unable"):
    """The worker cannot work at all: the job does not load."""

    reason: Text


class Request(Struct, frozen=True, array_like=True):
    """Worker to launcher. `token` proves that the launcher started it; `settled` None: nothing in hand."""

    token: Text
    slot: int
    epoch: int
    number: int
    settled: Settled | Unable | None = None


class Task(Struct, frozen=True, array_like=True):
    """One file to work on. Paths are bytes: file names need not be UTF-8.

    `state` is what the file must be, before and after the work; None: whatever it is. `is_last`: if this attempt
    fails, nobody tries the file again.
    """

    file: Text
    path: bytes
    output: bytes
    attempt: int
    stolen_from: str | None = None
    stolen_at_ns: int = 0
    state: FileState | None = None
    is_last: bool = True


class Answer(Struct, frozen=True, array_like=True):
    """Launcher to worker, to request `number`. `task` None: there is nothing more, end yourself.

    `refusal` None: what was settled counts, and the worker sends its event on the bus too. Else it says why the
    results could not be taken over, and the worker tells that instead.
    """

    number: int
    task: Task | None = None
    refusal: Text | None = None


_encode = msgspec.msgpack.Encoder().encode
# Nesting and text are checked by Python itself, in its own words.
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_request = msgspec.msgpack.Decoder(Request).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode


def encode_answer(answer: Answer) -> bytes:
    """For the launcher's ROUTER."""
    return _encode(answer)


def decode_answer(message: bytes) -> Answer:
    """For a worker. Raises ChannelError."""
    try:
        return _decode_answer(message)
    except _MALFORMED as error:
        raise ChannelError(f"not an answer: {error}") from None


def decode_request(message: bytes) -> Request:
    """For the launcher's ROUTER. Raises ChannelError."""
    try:
        return _decode_request(message)
    except _MALFORMED as error:
        raise ChannelError(f"not a request: {error}") from None


def encode_request(request: Request) -> bytes:
    """Return the message that a worker sends to the launcher's ROUTER."""
    return _encode(request)


def to_bytes(path: str | os.PathLike[str]) -> bytes:
    """A path as it goes over the channel."""
    return os.fsencode(path)


def to_path(raw: bytes) -> Path:
    """A path as it came over the channel."""
    return Path(os.fsdecode(raw))
