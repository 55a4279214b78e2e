"""The command line, run in the test's own process: for what ends before anything else is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_bus.cli import main as cli


def ended(*arguments: str | Path) -> object:
    """The exit status of the command line with these arguments."""
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(map(str, arguments)))
    return leaving.value.code


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line with which a command refuses to work, without the name of the program before it."""
    assert ended(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.removesuffix("\n").split("\n")
    assert line.startswith("virnucpro-bus: ")
    return line.removeprefix("virnucpro-bus: ")
