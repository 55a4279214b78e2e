"""The job "shell:CMD ...": runs a command line once for each file.

The command gets {input}, {outdir}, {stem} and {device} filled in, and {output}, a file in the output folder of the
input's name, or with {output:.tsv} of the input's stem and this ending; {{ and }} stand for literal braces. The
values never become part of the program text: the shell gets them as variables, and the text only names these, in
quotes. So no file name can inject anything, unless the command itself evaluates its arguments (eval, arithmetic);
and a placeholder must not be quoted again.

bash runs the command with `set -euo pipefail`, so that it fails if any part of it does, also inside a pipe.
Without a bash, sh does, with pipefail if it has that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.inputs.names import stem_of
from workers.jobs.interface import Job, JobContext
from workers.jobs.shell_command import run_program, shell_program

PLACEHOLDERS = ("input", "output", "outdir", "stem", "device")
_ENDING = re.compile(r"\.[^/\0{}]+")
"""Of a result's name, after {output:."""


class _Template(NamedTuple):
    """A command line, as the shell gets it."""

    script: str
    """The program text, in which variables stand for the placeholders."""
    outputs: dict[str, str]
    """The variables of {output}, each with the ending that is given; "": the file has the input's name."""


def check_template(template: str) -> None:
    """Raise UserError unless `template` is a command line that can be filled in and has {input}."""
    _parse(template)


def shell_job(template: str) -> Job:
    """Return the job that runs `template`.

    It returns the number of FASTA or FASTQ records in the input; if that is unknown, 0 with a warning. It raises
    UserError when the command fails, with the exit status and the last line on stderr, and when the command has
    made none of the files that {output} stands for.
    """
    script, outputs = _parse(template)
    program = shell_program(script)

    def run(input: Path, output: Path, context: JobContext) -> int:
        stem = stem_of(input)
        results = {name: output / (stem + ending if ending else input.name) for name, ending in outputs.items()}
        values = {"input": str(input), "outdir": str(output), "stem": stem, "device": context.device}
        variables = {_variable(name): value for name, value in values.items()}
        run_program(program, variables | {name: str(path) for name, path in results.items()})
        _check_made(output, [path.name for path in results.values()])
        from workers.jobs.sequence_file import count_records  # only now: the worker starts sooner without it

        if (sequences := count_records(input)) is None:
            context.warn(
                "its sequences cannot be counted: it is not FASTA or FASTQ that can be read; they count as 0"
            )
        return sequences or 0

    return run


def _check_made(folder: Path, names: list[str]) -> None:
    """Raise UserError if the command was to write these files, and has written none.

    A tool may take the name as the beginning of those of its files.
    """
    if names and not any(entry.startswith(tuple(names)) for entry in _entries(folder)):
        named = ", ".join(map(visible, names))
        raise UserError(
            f"the command ended well, but has not made {{output}}: there is no {named} in the output folder"
        )


def _entries(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []  # the command has removed the folder, which is reported for it


def _variable(placeholder: str) -> str:
    return f"VIRNUCPRO_{placeholder.upper()}"


def _parse(template: str) -> _Template:
    """Return the template's parts. Raises UserError when it is invalid."""
    parts: list[str] = []
    used: set[str] = set()
    outputs: dict[str, str] = {}
    quote = ""
    for literal, placeholder, ending in _split(template):
        parts.append(literal)
        quote = _open_quote(literal, quote)
        if placeholder is None:
            continue
        if quote:
            raise UserError(
                f"shell job: {{{placeholder}}} is quoted already and must not follow an open {quote}; "
                "remove the quotes around it"
            )
        used.add(placeholder)
        variable = _variable(placeholder)
        if placeholder == "output":
            known = {each: name for name, each in outputs.items()}
            variable = known.get(ending) or (f"{variable}_{len(outputs)}" if ending else variable)
            outputs[variable] = ending
        parts.append(f'"${{{variable}}}"')
    if "input" not in used:
        raise UserError("shell job: the command has no {input}, so it would do the same for every file")
    return _Template("".join(parts), outputs)


def _split(template: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield literal text, the placeholder after it, and its ending; None after the last text. Raises UserError."""
    try:
        for literal, name, form, conversion in Formatter().parse(template):
            if name is not None:
                _check_placeholder(name, form or "", conversion)
            yield literal, name, form or ""
    except ValueError as error:
        raise UserError(
            f"shell job: {error} in the command; for a brace of the command itself, write {{{{ and }}}}"
        ) from None


def _check_placeholder(name: str, ending: str, conversion: str | None) -> None:
    has_valid_ending = not ending or (name == "output" and _ENDING.fullmatch(ending))
    if name in PLACEHOLDERS and not conversion and has_valid_ending:
        return
    shown = visible(name + (f"!{conversion}" if conversion else "") + (f":{ending}" if ending else ""))
    known = " ".join(f"{{{each}}}" for each in PLACEHOLDERS)
    raise UserError(
        f"shell job: unknown placeholder '{{{shown}}}'; known are {known} {{output:.ENDING}}; for a brace of the "
        "command itself, as in awk, write {{ and }}"
    )


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
