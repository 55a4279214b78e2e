"""Writes a manual page for each command, made of what --help shows: scripts/man_pages.py FOLDER

The commands are our own (virnucpro_bus/cli/commands.py), and the package need not be installed: the build of the
wheel runs this (scripts/build_hook.py). To read a page: man -l FOLDER/virnucpro-bus-run.1
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import click

ROOT = Path(__file__).resolve().parents[1]
NAME = "virnucpro-bus"
SECTIONS = {"Example": "EXAMPLES", "Examples": "EXAMPLES", "Exit status": "EXIT STATUS"}
"""Titles of parts of a help text that have a section of their own in a manual."""
KEPT = "\b\n"
"""With this begins a paragraph whose lines click keeps as they are."""

# What roff takes for something else, or typesets as another character, which could not be pasted into a shell.
_ESCAPES = {"\\": r"\(rs", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}


def escaped(line: str) -> str:
    """Return one line of text as roff shows it character by character."""
    text = "".join(_ESCAPES.get(each, each if each.isascii() else f"\\[u{ord(each):04X}]") for each in line)
    return rf"\&{text}" if text.startswith(".") else text


def pages(context: click.Context, release: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of the page of the context's command, and of each of its subcommands."""
    subcommands = list(_subcommands(context))
    yield page_name(context), "\n".join(_page(context, subcommands, release)) + "\n"
    for below in subcommands:
        yield from pages(below, release)


def page_name(context: click.Context) -> str:
    """Return the name of a command's page: `man virnucpro-bus run` finds virnucpro-bus-run."""
    return context.command_path.replace(" ", "-")


def _subcommands(context: click.Context) -> Iterator[click.Context]:
    if isinstance(group := context.command, click.Group):
        for name in group.list_commands(context):
            if (command := group.get_command(context, name)) is not None and not command.hidden:
                yield click.Context(command, info_name=name, parent=context)


def _page(context: click.Context, subcommands: list[click.Context], release: str) -> Iterator[str]:
    command = context.command
    name, summary = page_name(context), _summary(command)
    # Without a date: the version says which text this is, and the same source makes the same page.
    yield f'.TH "{escaped(name.upper())}" 1 "" "{escaped(release)}" "{escaped(NAME)} manual"'
    yield from (".nh", ".ad l")  # no hyphenation: what is broken cannot be searched for
    yield from (".SH NAME", rf"{escaped(name)} \- {escaped(summary[:1].lower() + summary[1:])}")
    usage = map(_usage, command.collect_usage_pieces(context))
    yield from (".SH SYNOPSIS", " ".join([_bold(context.command_path), *usage]))
    parts = list(_parts(command.help or ""))
    yield from (".SH DESCRIPTION", *_shown([part for part in parts if part.title not in SECTIONS]))
    if subcommands:
        yield ".SH COMMANDS"
        for below in subcommands:
            yield from (".TP", rf"{_bold(page_name(below))}(1)", escaped(_summary(below.command)))
    yield ".SH OPTIONS"
    for option in command.get_params(context):
        if isinstance(option, click.Option) and (record := option.get_help_record(context)) is not None:
            yield from (".TP", _declared(record[0]), escaped(" ".join(record[1].split())))
    for section in dict.fromkeys(SECTIONS.values()):
        if its := [part._replace(title="") for part in parts if SECTIONS.get(part.title) == section]:
            yield from (f".SH {section}", *_shown(its))
    if context.parent is not None:
        yield from (".SH SEE ALSO", rf"{_bold(page_name(context.parent))}(1)")


def _summary(command: click.Command) -> str:
    return command.get_short_help_str(limit=1000).rstrip(".")


class Part(NamedTuple):
    """A paragraph of a help text: one line to be filled, or lines to be kept; `title` is "" without one."""

    title: str
    lines: list[str]
    kept: bool


def _parts(text: str) -> Iterator[Part]:
    for paragraph in re.split(r"\n\n+", inspect.cleandoc(text)):
        kept = paragraph.removeprefix(KEPT)
        title, _, content = kept.partition(":")
        if kept == paragraph:
            yield Part("", [" ".join(paragraph.split())], kept=False)
        elif content.startswith("\n"):
            yield Part(title, dedent(content[1:]).split("\n"), kept=True)
        elif title in SECTIONS:
            yield Part(title, [" ".join(content.split())], kept=False)
        else:
            yield Part("", kept.split("\n"), kept=True)


def _shown(parts: list[Part]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number:
            yield ".PP"
        if part.title:
            yield f"{escaped(part.title)}:"
        lines = map(escaped, part.lines)
        yield from (".RS 4", ".EX", *lines, ".EE", ".RE") if part.kept else lines


def _usage(piece: str) -> str:
    """Return a part of the usage, such as [OPTIONS] or INPUT..., with its placeholders in italics."""
    return re.sub(r"[A-Z][A-Z_]+", lambda word: rf"\fI{word[0]}\fR", escaped(piece))


def _declared(option: str) -> str:
    """Return the names of an option in bold and its value in italics, from "-o, --output FILE"."""
    return " ".join(_word(word) for word in option.split(" "))


def _word(word: str) -> str:
    if word.startswith("-"):
        name = word.rstrip(",")
        return _bold(name) + word[len(name) :]
    return word if word == "/" else rf"\fI{escaped(word)}\fR"


def _bold(text: str) -> str:
    return rf"\fB{escaped(text)}\fR"


def declared_command() -> tuple[click.Context, str]:
    """Return the command with our own subcommands, and its name with the version."""
    from virnucpro_bus.cli.commands import OWN, load_own
    from virnucpro_bus.cli.main import cli

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    group = click.Group(NAME, {name: load_own(name) for name in OWN}, help=cli.help, params=cli.params)
    context = click.Context(group, info_name=NAME, **cli.context_settings)
    return context, f"{NAME} {project['version']}"


def main() -> None:
    if len(sys.argv) != 2 or not (folder := Path(sys.argv[1])).is_dir():
        sys.exit("usage: scripts/man_pages.py FOLDER, for a folder that exists")
    sys.path.insert(0, str(ROOT))
    context, release = declared_command()
    for name, text in pages(context, release):
        (folder / f"{name}.1").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
