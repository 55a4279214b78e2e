"""Which subcommands there are, and what is imported to list them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from tests.support.distributions import install_package
from tests.support.in_process import ended, refusal
from virnucpro_bus.cli.commands import OWN, load_own
from virnucpro_bus.cli.main import cli

Install = Callable[[str, str, str], None]

GREETING = """
import click

@click.command(short_help="Print a greeting.")
@click.option("--name")
def greet(name):
    click.echo(f"hello {name}")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package of one module whose `greet` is a subcommand of the given name."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, source: str, command: str) -> None:
        install_package(tmp_path, package, source, {"virnucpro_bus.commands": {command: f"{package}:greet"}})
        monkeypatch.delitem(sys.modules, package, raising=False)

    return install


def completions(*words: str) -> list[str]:
    """What TAB offers after the words, of which the last one is incomplete."""
    offered = ShellComplete(cli, {}, "virnucpro-bus", "_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value for item in offered]


@pytest.mark.parametrize("name", OWN)
def test_each_subcommand_of_the_table_is_where_it_says_and_says_in_a_line_what_it_does(name: str) -> None:
    command = load_own(name)
    summary = command.get_short_help_str(limit=10)
    assert command.name == name
    assert command.help
    assert summary == OWN[name][1]
    assert summary.endswith(".")


def test_help_lists_a_subcommand_of_another_package_beside_ours(
    capsys: pytest.CaptureFixture[str], install: Install
) -> None:
    install("polite", GREETING, "greet")
    assert ended("--help") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split() for line in listed if "greet" in line] == [["greet", "Print", "a", "greeting."]]
    assert completions("gr") == ["grafana", "greet"]
    assert completions("greet", "--n") == ["--name"]
    assert ended("greet", "--name", "you") == 0
    assert capsys.readouterr().out == "hello you\n"


def test_a_subcommand_that_cannot_be_imported_is_listed_with_the_reason_and_refused_with_it(
    capsys: pytest.CaptureFixture[str], install: Install
) -> None:
    install("torn", "raise ValueError('no\\nway')", "greet")
    reason = "subcommand greet: cannot be imported (torn, torn:greet): ValueError: no\\x0away"
    assert ended("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"greet {reason} " in shown
    assert "whatif Estimate" in shown
    assert refusal(capsys, "greet", "--name", "you") == reason


def test_no_other_package_replaces_a_subcommand_of_ours(
    capsys: pytest.CaptureFixture[str], install: Install
) -> None:
    install("greedy", GREETING, "info")
    assert ended("info", "--help") == 0
    assert "Show what each RUN" in capsys.readouterr().out
    assert completions("inf") == ["info"]


def test_a_name_is_completed_without_an_import_of_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OWN, "inform", ("a_module_that_does_not_exist:inform", "Fail when it is imported."))
    assert completions("inf") == ["info", "inform"]
    with pytest.raises(ModuleNotFoundError):
        completions("inform", "--")


def test_subcommands_of_a_subcommand_are_completed() -> None:
    assert completions("keys", "al") == ["allow"]
