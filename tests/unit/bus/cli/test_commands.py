"""Which subcommands there are, and what is imported to list them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
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


def options_of(command: click.Command) -> Iterator[click.Option]:
    """The options that help shows, of a command and of its own subcommands."""
    yield from (each for each in command.params if isinstance(each, click.Option) and not each.hidden)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from options_of(below)


def test_each_option_of_ours_has_a_variable_of_its_own() -> None:
    given = [option.envvar for name in OWN for option in options_of(load_own(name))]
    assert len(given) > 50
    assert all(str(variable).startswith("VIRNUCPRO_BUS_") for variable in given)
    assert len(given) == len(set(given))


@pytest.mark.parametrize(
    ("variable", "text", "command", "parameter", "value"),
    [
        ("VIRNUCPRO_BUS_DOCTOR_JSON", "yes", "doctor", "as_json", True),
        ("VIRNUCPRO_BUS_MONITOR_INTERVAL", "7", "monitor", "interval_seconds", 7.0),
        ("VIRNUCPRO_BUS_MONITOR_DASHBOARD", "0", "monitor", "dashboard", False),
    ],
)
def test_a_variable_is_called_by_the_option_and_gives_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, command: str, parameter: str, value: object
) -> None:
    monkeypatch.setenv(variable, text)
    assert load_own(command).make_context(command, []).params[parameter] == value


def test_the_command_line_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRNUCPRO_BUS_MONITOR_INTERVAL", "7")
    assert load_own("monitor").make_context("monitor", ["-i", "3"]).params["interval_seconds"] == 3


def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRNUCPRO_BUS_MONITOR_INTERVAL", "soon")
    line = refusal(capsys, "monitor", "run")
    assert "'soon'" in line
    assert " (given by VIRNUCPRO_BUS_MONITOR_INTERVAL); see " in line
    monkeypatch.delenv("VIRNUCPRO_BUS_MONITOR_INTERVAL")
    assert "given by" not in refusal(capsys, "monitor", "run", "--interval", "soon")


def test_the_subcommand_version_prints_what_the_option_prints(capsys: pytest.CaptureFixture[str]) -> None:
    printed = [(ended(words), capsys.readouterr().out) for words in ("version", "--version")]
    assert printed[0] == printed[1]
    assert printed[0][0] == 0
