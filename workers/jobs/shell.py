"""The job "shell:CMD ...": runs a command line once for each file.

The command gets {input}, {output} (a file of the input's name in the output folder), {outdir}, {stem} and {device}
filled in; {{ and }} stand for literal braces. The values never become part of the program text: the shell gets
them as variables, and the text only names these, in quotes. So no file name can inject anything, unless the
command itself evaluates its arguments (eval, arithmetic); and a placeholder must not be quoted again.

bash runs the command with `set -euo pipefail`, so that it fails if any part of it does, also inside a pipe.
Without a bash, sh does, with pipefail if it has that.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import IO

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.inputs.names import stem_of
from workers.jobs.interface import Job, JobContext

PLACEHOLDERS = ("input", "output", "outdir", "stem", "device")
MAX_ERROR_CHARACTERS = 300
_BASH_OPTIONS = "set -euo pipefail; "
_SH_OPTIONS = "set -eu; (set -o pipefail) 2>/dev/null && set -o pipefail; "
_ERROR_TAIL_BYTES = 8192
_KILLED_STATUS = 128
"""A shell's exit status is this plus the signal's number if the program that it ran was killed."""


def check_template(template: str) -> None:
    """Raise UserError unless `template` is a command line that can be filled in and has {input}."""
    _script(template)


def shell_job(template: str) -> Job:
    """Return the job that runs `template`.

    It returns the number of FASTA or FASTQ records in the input; if that is unknown, 0 with a warning. When the
    command fails, it raises UserError with the exit status and the last line of stderr. The stdout is discarded.
    """
    program = _program(_script(template))

    def run(input: Path, output: Path, context: JobContext) -> int:
        values = (str(input), str(output / input.name), str(output), stem_of(input), context.device)
        variables = dict(zip(map(_variable, PLACEHOLDERS), values, strict=True))
        # A file, not a pipe: a process that the command leaves behind could hold a pipe open forever. Beside the
        # output, where the run can write for certain; the system may have no other place for temporary files.
        with tempfile.TemporaryFile(dir=output.parent) as errors:
            status = subprocess.run(
                program,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **variables},
                check=False,
            ).returncode
            if status:
                raise UserError(f"the command {_describe_end(status)}{_last_line(errors)}")
        from workers.jobs.sequence_file import count_records  # only now: the worker starts sooner without it

        if (sequences := count_records(input)) is None:
            context.warn(
                "its sequences cannot be counted: it is not FASTA or FASTQ that can be read; they count as 0"
            )
        return sequences or 0

    return run


def _variable(placeholder: str) -> str:
    return f"VIRNUCPRO_{placeholder.upper()}"


def _program(script: str) -> list[str]:
    """Return the shell and its arguments.

    The script sets the options, so that they do not hold for a user's startup file, $BASH_ENV.
    """
    if bash := shutil.which("bash"):
        return [bash, "-c", _BASH_OPTIONS + script]
    return ["/bin/sh", "-c", _SH_OPTIONS + script]


def _script(template: str) -> str:
    """Return the program text for the shell. Raises UserError when `template` is invalid."""
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
                f"shell job: {{{placeholder}}} is quoted already and must not follow an open {quote}; "
                "remove the quotes around it"
            )
        used.add(placeholder)
        parts.append(f'"${{{_variable(placeholder)}}}"')
    if "input" not in used:
        raise UserError("shell job: the command has no {input}, so it would do the same for every file")
    return "".join(parts)


def _split(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield pairs of literal text and the placeholder after it; None after the last text."""
    try:
        for literal, name, form, conversion in Formatter().parse(template):
            yield literal, name if not form and not conversion else f"{name}…"
    except ValueError as error:
        raise UserError(f"shell job: {error} in the command; write {{{{ and }}}} for literal braces") from None


def _open_quote(text: str, quote: str) -> str:
    """Return the quoting character that is open after `text` if `quote` was open before it; "" if none is."""
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


def _describe_end(status: int) -> str:
    if status < 0:
        return f"was killed by {_signal_name(-status)}"
    if status == _KILLED_STATUS + signal.SIGPIPE:
        return (
            f"ended with exit status {status} (SIGPIPE: a program in a pipe ended before it had read everything)"
        )
    if status > _KILLED_STATUS and (name := _signal_name(status - _KILLED_STATUS)):
        return f"ended with exit status {status} (its program was killed by {name})"
    return f"ended with exit status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _last_line(errors: IO[bytes]) -> str:
    """Return ": " and the last line of the file that is not blank; "" if every line is blank."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _ERROR_TAIL_BYTES))
    lines = errors.read().decode(errors="surrogateescape").replace("\r", "\n").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = visible(last[:MAX_ERROR_CHARACTERS])[:MAX_ERROR_CHARACTERS]
    return f": {shown}" if shown else ""
