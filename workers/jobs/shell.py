"""The job "shell:CMD ...": any command line, once for each file.

The command goes to /bin/sh with {input}, {output} (a file of the input's name in the output folder), {outdir},
{stem} and {device} filled in; {{ and }} stand for single braces. What is filled in never becomes part of the
program text: the shell is given the values as variables and the text only names them, in quotes. So no file name
can inject anything, and {input} must not be put in quotes once more.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import IO

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.inputs import stem_of
from workers.jobs.interface import Job, JobContext

PLACEHOLDERS = ("input", "output", "outdir", "stem", "device")
MAX_ERROR_CHARACTERS = 300
_ERROR_TAIL_BYTES = 8192
# A shell gives this plus the signal's number as its status when what it ran was killed.
_KILLED_STATUS = 128


def check_template(template: str) -> None:
    """Raise UserError unless `template` is a command line that can be filled in and has {input}."""
    _script(template)


def shell_job(template: str) -> Job:
    """The job that runs `template`.

    It returns the number of FASTA or FASTQ records in the input where dnaio can read it to the end, else 1. It
    raises UserError with the exit status and the last line of stderr when the command fails. What the command
    prints to stdout is thrown away.
    """
    script = _script(template)

    def run(input: Path, output: Path, context: JobContext) -> int:
        values = (str(input), str(output / input.name), str(output), stem_of(input), context.device)
        variables = dict(zip(map(_variable, PLACEHOLDERS), values, strict=True))
        # A file, not a pipe: a process that the command leaves behind would hold a pipe open for ever.
        with tempfile.TemporaryFile() as errors:
            status = subprocess.run(
                ["/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **variables},
                check=False,
            ).returncode
            if status:
                raise UserError(f"the command {_how_it_ended(status)}{_last_line(errors)}")
        return _count_records(input)

    return run


def _variable(placeholder: str) -> str:
    return f"VIRNUCPRO_{placeholder.upper()}"


def _script(template: str) -> str:
    """The program text for the shell. Raises UserError when `template` is not right."""
    parts: list[str] = []
    used: set[str] = set()
    quote = ""
    for literal, placeholder in _split(template):
        parts.append(literal)
        quote = _open_quote(literal, quote)
        if placeholder is None:
            continue
        if placeholder not in PLACEHOLDERS:
            known = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise UserError(
                f"shell job: unknown placeholder '{{{visible(placeholder)}}}'; "
                f"known are {known}, and {{{{ and }}}} are literal braces"
            )
        if quote:
            raise UserError(
                f"shell job: {{{placeholder}}} is quoted already and must not stand after an open {quote}; "
                "take the quotes around it away"
            )
        used.add(placeholder)
        parts.append(f'"${{{_variable(placeholder)}}}"')
    if "input" not in used:
        raise UserError("shell job: the command has no {input}, so it would do the same for every file")
    return "".join(parts)


def _split(template: str) -> Iterator[tuple[str, str | None]]:
    """Pairs of literal text and the placeholder after it, None where none follows."""
    try:
        for literal, name, form, conversion in Formatter().parse(template):
            yield literal, name if not form and not conversion else f"{name}…"
    except ValueError as error:
        raise UserError(f"shell job: {error} in the command; write {{{{ and }}}} for literal braces") from None


def _open_quote(text: str, quote: str) -> str:
    """The quoting character that is open after `text` when `quote` was open before it; "" for none."""
    escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
    return "\\" if escaped else quote


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {_signal_name(-status)}"
    if status > _KILLED_STATUS and (name := _signal_name(status - _KILLED_STATUS)):
        return f"ended with exit status {status} (what it ran was killed by {name})"
    return f"ended with exit status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _last_line(errors: IO[bytes]) -> str:
    """ ": " and the last line of the file that is not blank; "" where there is none."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _ERROR_TAIL_BYTES))
    lines = errors.read().decode(errors="surrogateescape").replace("\r", "\n").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = visible(last[:MAX_ERROR_CHARACTERS])[:MAX_ERROR_CHARACTERS]
    return f": {shown}" if shown else ""


def _count_records(path: Path) -> int:
    try:
        import dnaio  # only now: a worker is waited for, and the command is not

        with dnaio.open(path) as reader:
            return sum(1 for _ in reader)
    except Exception:
        # Not sequences, then: the command knows what it read, and dnaio's readers have no exception in common.
        return 1
