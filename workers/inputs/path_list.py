"""A list of paths, in a file or on standard input: one on each line, or each ended by a NUL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from virnucpro_bus.errors import InputError
from virnucpro_bus.system.console import say
from virnucpro_bus.system.standard_streams import read_from_terminal
from virnucpro_bus.text import visible

STANDARD_INPUT = Path("-")
MAX_PATH_BYTES = 4096
"""Longer ones no system call takes."""
_BLOCK_BYTES = 1 << 20
_SHOWN_CHARACTERS = 100
_BOM = b"\xef\xbb\xbf"


class PathList:
    """Paths to read from a file, or from standard input for the path "-". To be read once."""

    def __init__(self, path: Path, *, null: bool = False) -> None:
        """With `null`, each path ends with a NUL, as `find -print0` has it, and may contain line ends."""
        self.is_standard_input = path == STANDARD_INPUT
        self.name = "standard input" if self.is_standard_input else str(path)
        """For messages."""
        self._path = path
        self._separator = b"\0" if null else b"\n"

    def where(self, number: int) -> str:
        """Return what messages about the path of this number begin with, from 1: empty ones count too."""
        unit = "line" if self._separator == b"\n" else "path"
        return f"{self.name}: {unit} {number}: "

    def read(self) -> Iterator[tuple[int, str]]:
        """Yield each path that is not empty, after its number. Raises InputError."""
        is_empty, first = True, 1
        for block in self._blocks():
            # As text at once, because a list has a million lines.
            for number, path in enumerate(os.fsdecode(block).split(self._separator.decode()), first):
                if self._separator == b"\n":
                    path = path.removesuffix("\r")
                if path:
                    is_empty = False
                    self._check(number, path)
                    yield number, path
            first += block.count(self._separator) + 1
        if is_empty:
            raise InputError(f"{visible(self.name)}: lists no paths; check what has written the list")

    def _blocks(self) -> Iterator[bytes]:
        """Yield parts of the list, without the separator at their ends. Raises InputError."""
        try:
            descriptor = 0 if self.is_standard_input else os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if self.is_standard_input and os.isatty(descriptor):
                    say("reading a list of paths from the terminal, one on each line; Ctrl-D ends it")
                yield from self._split(descriptor)
            finally:
                if self.is_standard_input:
                    read_from_terminal()  # so that the dashboard has keys
                else:
                    os.close(descriptor)
        except OSError as error:
            raise InputError(f"{visible(self.name)}: cannot be read: {error.strerror}") from None

    def _split(self, descriptor: int) -> Iterator[bytes]:
        rest, number = b"", 1
        is_first = self._separator == b"\n"
        while data := os.read(descriptor, _BLOCK_BYTES):
            rest += data
            if is_first:
                rest, is_first = rest.removeprefix(_BOM), False  # as some editors write it
            whole, separator, rest = rest.rpartition(self._separator)
            if separator:
                number += whole.count(separator) + 1
                yield whole
            if len(rest) > MAX_PATH_BYTES:
                break
        if rest:
            if self._separator == b"\0" and number == 1 and rest.endswith(b"\n"):
                raise InputError(f"{visible(self.name)}: contains no NUL; leave out --null, if the list has lines")
            self._check_length(number, rest)
            yield rest

    def _check(self, number: int, path: str) -> None:
        if len(path) > MAX_PATH_BYTES // 4:
            self._check_length(number, os.fsencode(path))
        if "\0" in path:
            raise InputError(
                f"{visible(self.where(number))}contains a NUL; if each path ends in one (find -print0), add --null"
            )

    def _check_length(self, number: int, path: bytes) -> None:
        if len(path) > MAX_PATH_BYTES:
            has_lines = self._separator == b"\0" and b"\n" in path
            remedy = "leave out --null, if the list has lines" if has_lines else "give a list of paths"
            beginning = os.fsdecode(path[:_SHOWN_CHARACTERS])
            raise InputError(
                f"{visible(self.where(number) + beginning)}...: is longer than a path can be; {remedy}"
            )
