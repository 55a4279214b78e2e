"""The recipes call commands and options that there are, in scripts and units that their programs can read."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from tests.support.paths import DOCS, RECIPES
from virnucpro_bus.cli.commands import load_own
from virnucpro_bus.cli.main import cli

FILES = sorted(RECIPES.iterdir())
END = {">", "|", "&", ")"}
"""What ends a command line, besides the end of the line."""


def commands(recipe: Path) -> Iterator[list[str]]:
    """The command lines of ours in a recipe, without its comments; placeholders are words like others."""
    text = re.sub(r"^\s*(#|//).*\n", "", recipe.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r'"\n\s*"', "", text.replace("\\\n", " "))  # a string of Python, or a command, on several lines
    text = text.replace("$SLURM_PROCID", "0").replace("$SLURM_NTASKS", "4")
    for line in re.findall(r"(?<![\w/.@-])virnucpro-bus ([^\n]*)", text):
        whole = line if line.count('"') % 2 == 0 else line.rpartition('"')[0]
        words = shlex.shlex(whole, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        yield list(takewhile(lambda word: word not in END, words))


@pytest.mark.parametrize("recipe", FILES, ids=lambda path: path.name)
def test_every_command_of_a_recipe_has_the_options_that_it_is_given(recipe: Path) -> None:
    found = list(commands(recipe))
    assert found
    context = click.Context(cli, info_name="virnucpro-bus")
    for name, *arguments in found:
        if name != "--version":
            load_own(name).make_context(name, arguments, parent=context)


@pytest.mark.parametrize("recipe", FILES, ids=lambda path: path.name)
def test_a_recipe_begins_with_what_it_does_what_it_must_not_do_and_how_to_adapt_it(recipe: Path) -> None:
    comment = "".join(
        line for line in recipe.read_text(encoding="utf-8").splitlines() if line.startswith(("#", "//"))
    )
    assert [part for part in ("What it does:", "What it must not do:", "To adapt:") if part not in comment] == []


def test_the_page_names_every_recipe() -> None:
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    assert [recipe.name for recipe in FILES if f"](../share/recipes/{recipe.name})" not in page] == []


def test_bash_can_read_the_batch_scripts() -> None:
    for script in RECIPES.glob("*.sbatch"):
        subprocess.run(["bash", "-n", script], check=True)


def test_systemd_can_read_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / "home").mkdir()
    (tmp_path / "runtime").mkdir(mode=0o700)
    command = ["systemd-analyze", "verify", "--user", "--man=no", str(RECIPES / "virnucpro-bus-hub@.service")]
    folders = {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
    ran = subprocess.run(command, env=os.environ | folders, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "virnucpro-bus" not in ran.stderr  # a warning names the unit; others are about units of this machine
