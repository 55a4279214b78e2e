"""The survey: a worker of the cluster answers what it is, and proves that it shares the run's folder."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from virnucpro_bus.devices import has_gpu
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.text import text_of, visible
from workers.inputs.input_file import FileState, state_of
from workers.launch.device_discovery import find_devices
from workers.protocol import to_path

NONCE_BYTES = 64
"""A nonce is shorter; no more is read of what may be another file."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Short = Annotated[str, Meta(max_length=4096)]


def program_version() -> str:
    """Return the version of this program."""
    return importlib.metadata.version("virnucpro-bus")


def boot_id() -> str:
    """Return what identifies this machine since its start; "" where the kernel does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class Question(Struct, frozen=True):
    """What the launcher asks the workers of a cluster. Paths are bytes: file names need not be UTF-8."""

    version: str
    """Its own: a worker of another one would not understand it."""
    nonce_path: bytes
    """A file in the run folder …"""
    nonce: str
    """… and what it contains."""
    inputs: list[tuple[bytes, FileState | None]]
    """One input of each folder, and its state."""
    wants_device: bool = True
    """Whether the worker looks which GPU it has."""


class Member(Struct, frozen=True, tag="member"):
    """The answer of a worker that can take part in the run."""

    name: Short
    """The name that it has in the cluster."""
    nanny: Short
    """The address of the nanny that restarts it; "": it has none."""
    host: Short
    boot: Short
    """See `boot_id`."""
    pid: int
    device: Device | None
    """Its GPU; None: it has none, or was not asked."""
    proof: Short
    """The name of a file with the nonce in it, which the worker has written beside the launcher's."""

    @property
    def identity(self) -> str:
        """What is the same after a restart: the name, unless that is an address, which changes."""
        return self.nanny if "://" in self.name and self.nanny else self.name


class Unfit(Struct, frozen=True, tag="unfit"):
    """The answer of a worker that cannot take part in the run."""

    reason: Short


def reply_to(question: bytes, name: str, nanny: str) -> bytes:
    """Answer a question in the worker of this name; `nanny` as in Member. Takes a second where it has a GPU."""
    answer: Member | Unfit
    try:
        answer = _member(msgspec.msgpack.decode(question, type=Question), name, nanny)
    except (UserError, msgspec.DecodeError) as error:
        answer = Unfit(visible(text_of(error)))
    return msgspec.msgpack.encode(answer)


def _member(question: Question, name: str, nanny: str) -> Member:
    if question.version != program_version():
        raise UserError(f"it has virnucpro-bus {program_version()}, the launcher {question.version}")
    nonce_path = to_path(question.nonce_path)
    _check_folder(nonce_path, question.nonce)
    for raw, state in question.inputs:
        _check_input(to_path(raw), state)
    device = _first_gpu() if question.wants_device else None
    # Last, so that a worker that is unfit leaves nothing.
    proof = _write_proof(nonce_path, question.nonce)
    return Member(name, nanny, os.uname().nodename, boot_id(), os.getpid(), device, proof)


def _check_folder(nonce_path: Path, nonce: str) -> None:
    """Check that the launcher's file is seen here. Raises UserError."""
    try:
        with nonce_path.open("rb") as file:
            is_shared = file.read(NONCE_BYTES) == nonce.encode()
    except OSError as error:
        raise _unusable(nonce_path.parent, error) from None
    if not is_shared:
        raise UserError(f"{visible(str(nonce_path.parent))}: is another folder there")


def _write_proof(nonce_path: Path, nonce: str) -> str:
    """Write a file beside the launcher's, and return its name. Raises UserError."""
    proof = nonce_path.with_name(f"{nonce_path.name}-{secrets.token_hex(8)}")
    try:
        with proof.open("xb") as file:
            file.write(nonce.encode())
    except OSError as error:
        raise _unusable(nonce_path.parent, error) from None
    return proof.name


def _unusable(folder: Path, error: OSError) -> UserError:
    return UserError(f"{visible(str(folder))}: cannot be used there: {error.strerror}")


def _check_input(path: Path, state: FileState | None) -> None:
    shown = visible(str(path))
    try:
        seen = state_of(path)
        with path.open("rb"):
            pass
    except OSError as error:
        raise UserError(f"{shown}: cannot be read there: {error.strerror}") from None
    if state is not None and seen != state:
        raise UserError(f"{shown}: is another file there")


def _first_gpu() -> Device | None:
    """Return the GPU that a job here calls cuda:0, the first one visible; None without GPUs. Raises UserError."""
    first = find_devices("auto", os.environ)[0]
    return first if has_gpu(first.key) else None
