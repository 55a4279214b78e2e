"""The manual pages have every command and every option, and roff shows each character of their texts."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.support.paths import ROOT
from virnucpro_bus.cli.commands import load_own
from virnucpro_bus.cli.main import cli

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "man_pages.py"))
PAGES: dict[str, str] = dict(SCRIPT["pages"](*SCRIPT["declared_command"]()))

HARD = r""".TH begins with a dot. 'A quote' and `this` and "that": C:\new\\fB --a-b ~ ^ … 🧬 \(rs \& \n end"""


def contexts(context: click.Context) -> Iterator[click.Context]:
    """The context of a command, and those of all below it."""
    yield context
    if isinstance(group := context.command, click.Group):
        for name in group.list_commands(context):
            command = load_own(name) if group is cli else group.commands[name]
            yield from contexts(click.Context(command, info_name=name, parent=context))


COMMANDS = {
    each.command_path.replace(" ", "-"): each
    for each in contexts(click.Context(cli, info_name="virnucpro-bus", **cli.context_settings))
}


def shown(page: Path) -> str:
    """What a terminal shows of a page, in lines so long that none is broken. Fails with a warning of roff's."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    command = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=2000n", str(page)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stderr == ""
    return made.stdout


def test_every_command_has_a_page_and_nothing_else_has() -> None:
    assert set(PAGES) == set(COMMANDS)
    assert {"virnucpro-bus", "virnucpro-bus-run", "virnucpro-bus-keys-allow"} <= set(PAGES)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_declares_every_option_and_says_what_it_does(name: str) -> None:
    context = COMMANDS[name]
    described = dict(entry.split("\n")[1:3] for entry in PAGES[name].split("\n.TP")[1:])
    for option in context.command.get_params(context):
        if isinstance(option, click.Option) and not option.hidden:
            flags = [rf"\fB{SCRIPT['escaped'](flag)}\fR" for flag in (*option.opts, *option.secondary_opts)]
            (text,) = (text for tag, text in described.items() if all(flag in tag for flag in flags))
            assert text


def test_the_page_of_a_group_names_every_command_below_it() -> None:
    for name, context in COMMANDS.items():
        if context.parent is not None:
            above = PAGES[context.parent.command_path.replace(" ", "-")]
            assert rf"\fB{SCRIPT['escaped'](name)}\fR(1)" in above


def test_roff_has_no_warning_about_any_page(tmp_path: Path) -> None:
    (tmp_path / "all.1").write_text("".join(PAGES.values()), encoding="utf-8")
    text = shown(tmp_path / "all.1")
    assert """echo 'eval "$(virnucpro-bus completion bash)"' >> ~/.bashrc""" in text
    assert "--job-option KEY=VALUE" in text


def test_every_character_of_a_help_text_is_shown_as_it_is(tmp_path: Path) -> None:
    text = f"{HARD}\n\n{HARD}\n\n\b\nExamples:\n  {HARD}\n    {HARD}\n\n\b\nExit status: {HARD}"
    option = click.Option(["--odd-one"], metavar="A-B", help=HARD)
    context = click.Context(click.Command("odd", help=text, short_help=HARD, params=[option]), info_name="odd")
    ((name, page),) = SCRIPT["pages"](context, "odd 1.0")
    (tmp_path / "odd.1").write_text(page, encoding="utf-8")
    seen = shown(tmp_path / "odd.1")
    assert name == "odd"
    assert seen.count(HARD) == 7
    assert "--odd-one A-B" in seen
