"""The inventory: which workers of a cluster can take part in a run, and why the others cannot."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.text import text_of, visible
from workers.dask.member.survey import Member, Question, Unfit, program_version
from workers.inputs.input_file import InputFile
from workers.protocol import to_bytes

NONCE_PREFIX = ".dask-"
MAX_FOLDERS_ASKED = 16
"""Of so many folders of inputs a worker opens one file."""


class SharedFolder:
    """A file in the run folder by which workers prove that they share it. Removed at the end."""

    def __init__(self, run_dir: Path) -> None:
        """Make the run folder if it is missing, and the file in it. Raises UserError."""
        self._made_folder = not run_dir.exists()
        self._nonce = secrets.token_hex(16)
        self.path = run_dir.absolute() / f"{NONCE_PREFIX}{secrets.token_hex(8)}"
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self._nonce)
        except OSError as error:
            raise UserError(f"{visible(str(run_dir))}: cannot be written: {error.strerror}") from None

    def question(self, files: Iterable[InputFile], *, wants_device: bool) -> bytes:
        """Return the question to each worker: whether it has this folder and the folders of these inputs."""
        one_of: dict[Path, InputFile] = {}
        for file in files:
            if len(one_of) < MAX_FOLDERS_ASKED:
                one_of.setdefault(file.path.parent, file)
        inputs = [(to_bytes(file.path), file.state) for file in one_of.values()]
        question = Question(program_version(), to_bytes(self.path), self._nonce, inputs, wants_device)
        return msgspec.msgpack.encode(question)

    def judge(self, answer: bytes | Exception) -> Member | Unfit:
        """Return what a worker has answered, or why that is not enough."""
        if isinstance(answer, ImportError):
            return Unfit(f"virnucpro-bus {program_version()} is not installed there: {visible(text_of(answer))}")
        if isinstance(answer, Exception):
            return Unfit(f"it does not answer: {type(answer).__name__}: {visible(text_of(answer))}")
        try:
            said: Member | Unfit = msgspec.msgpack.decode(answer, type=Member | Unfit)
        except (msgspec.DecodeError, TypeError, ValueError):
            return Unfit("its answer cannot be read")
        if isinstance(said, Member) and not self._has(said.proof):
            return Unfit(f"{visible(str(self.path.parent))}: what it writes there cannot be seen here")
        return said

    def close(self) -> None:
        """Remove the file, and the folder if it was made here and is still empty. Safe to call twice."""
        with suppress(OSError):
            self.path.unlink()
        if self._made_folder:
            with suppress(OSError):
                self.path.parent.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _has(self, proof: str) -> bool:
        """Whether a worker has written its proof, which is removed then."""
        if os.path.basename(proof) != proof or not proof.startswith(self.path.name):
            return False
        path = self.path.with_name(proof)
        try:
            is_proof = path.read_text() == self._nonce
            path.unlink()
        except (OSError, UnicodeDecodeError):
            return False
        return is_proof


@dataclass(frozen=True)
class Inventory:
    """The workers of a cluster before a run, by their addresses. Empty for a cluster that the run starts."""

    members: Mapping[str, Member] = field(default_factory=dict)
    """Those that can take part, in the order of the devices."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """A line about each of the others."""

    def identities(self, devices: Sequence[Device]) -> list[str]:
        """Return what the workers of each device have in common, one after another (survey.py)."""
        return [member.identity for member in self.members.values()] or [str(at) for at in range(len(devices))]


def take_inventory(answers: Mapping[str, bytes | Exception], folder: SharedFolder) -> Inventory:
    """Return what the workers are, from their answers. Raises UserError when none can take part."""
    members, unfit = {}, {}
    for address, answer in answers.items():
        judged = folder.judge(answer)
        if isinstance(judged, Member):
            members[address] = judged
        else:
            unfit[address] = f"{visible(address)} takes no part in the run: {judged.reason}"
    if not members:
        first = next(iter(unfit.values()), "it has none")
        raise UserError(
            f"no worker of the Dask cluster can take part in the run; {first}\n"
            "launcher and workers must have the same virnucpro-bus, and share the output folder and the inputs"
        )
    by_place = sorted(members.items(), key=lambda item: (item[1].host, _natural(item[1].name)))
    return Inventory(dict(by_place), unfit)


def _natural(name: str) -> tuple[int, int, str]:
    """Order numbers, which most names are, by their value and before other names."""
    return (0, int(name), "") if name.isascii() and name.isdecimal() and len(name) < 10 else (1, 0, name)


def remove_left_behind(run_dir: Path) -> None:
    """Remove what the launcher of an earlier session, which was killed, has left in a folder that is ours now."""
    for path in run_dir.glob(f"{NONCE_PREFIX}*"):
        with suppress(OSError):
            path.unlink()
