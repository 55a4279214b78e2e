"""What a command does not load: what takes long to import is for the commands that use it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.support.captures import some_frames, write_capture
from virnucpro_bus.cli.commands import OWN

SOCKETS, FOLD, SCREEN = "zmq", "virnucpro_bus.fold.fleet", "rich.console"
METADATA = "importlib.metadata"
"""It finds the plugins of other packages, which few commands have."""
SLOW = {SOCKETS, FOLD, SCREEN, METADATA, "asyncio", "dnaio", "numpy", "prometheus_client", "pynvml"}

RUN = """
import contextlib, json, os, sys
from virnucpro_bus.cli.main import main

# The modules of each command line in turn: what one loads, those after it have loaded too.
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(open(os.devnull, "w")):
        try:
            main(arguments)
        except SystemExit as leaving:
            assert leaving.code in (0, None), (arguments, leaving.code)
    print(*sys.modules)
"""


def loaded(*command_lines: list[str]) -> list[set[str]]:
    """The modules that one process has loaded after each of the command lines."""
    command = [sys.executable, "-P", "-c", RUN, json.dumps(command_lines)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [set(line.split()) for line in ran.stdout.splitlines()]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run that is over."""
    folder = tmp_path_factory.mktemp("ended")
    write_capture(folder / "run.vbus", some_frames(3))
    return str(folder)


def test_the_list_of_subcommands_loads_none_of_them() -> None:
    (modules,) = loaded(["--help"])
    assert modules.isdisjoint({place.partition(":")[0] for place, _ in OWN.values()})
    assert modules.isdisjoint(SLOW - {METADATA})


WITH_PLUGINS = {"export", "jobs", "run"}
"""Their help shows formats, or their options are about jobs."""


def test_the_help_of_a_subcommand_loads_nothing_that_only_its_work_needs() -> None:
    names = [name for name in OWN if name not in WITH_PLUGINS]
    after = loaded(*([name, "--help"] for name in names))
    assert {name: found for name, modules in zip(names, after, strict=True) if (found := modules & SLOW)} == {}


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        ("info --json {run}", set()),
        ("effect {run}", {FOLD}),
        ("ls {run}", set()),
        ("monitor --once --json {run}", {FOLD, SOCKETS}),
        ("monitor --no-dashboard --log-file {run}/log.csv {run}", {FOLD, SOCKETS}),
        ("replay --once --json {run}", {FOLD}),
        ("replay --rate 1000000 {run}", {FOLD}),
        ("export {run}", {FOLD, METADATA}),
    ],
)
def test_a_command_loads_only_what_it_needs(run_dir: str, arguments: str, needed: set[str]) -> None:
    (modules,) = loaded(arguments.format(run=run_dir).split())
    assert modules & SLOW == needed
    assert not any(name.partition(".")[0] == "workers" for name in modules)


def test_a_sampler_loads_no_fold_and_no_screen() -> None:
    program = "import sys, monitor.cli.sample, virnucpro_bus.publish.publisher; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) & SLOW == {SOCKETS}


def test_each_module_that_is_slow_to_load_exists() -> None:
    optional = {"numpy"}
    assert [name for name in SLOW - optional if importlib.util.find_spec(name) is None] == []
