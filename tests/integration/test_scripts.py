"""`scripts/test`: which steps it takes, and what it passes on to tools that print their arguments."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import SCRIPTS

TOOLS = ("scripts/venv", ".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports", ".venv/bin/pytest")
STAND_IN = '#!/bin/sh\nprintf "%s:" "${0##*/}"; printf " [%s]" "$@"; echo\n'
ENVIRONMENT = "venv: [requirements-dev.lock]"
CHECKS = ["ruff: [check] [.]", "ruff: [format] [--check] [.]", "mypy: []", "lint-imports: []"]
FAST = "pytest: [-m] [not slow and not gpu] [-n] [4] [--dist] [worksteal]"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with the real script, one test file, and stand-ins for all tools."""
    for name in TOOLS:
        tool = tmp_path / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(STAND_IN)
        tool.chmod(0o755)
    shutil.copy(SCRIPTS / "test", tmp_path / "scripts")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").touch()
    return tmp_path


def run_script(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree / "scripts" / "test", *arguments], cwd=tree / "tests", capture_output=True, text=True, check=False
    )


def steps(tree: Path, *arguments: str) -> list[str]:
    """What the script runs, without its headings."""
    ran = run_script(tree, *arguments)
    assert (ran.returncode, ran.stderr) == (0, "")
    return [line for line in ran.stdout.splitlines() if line and not line.startswith("==")]


def test_without_options_it_runs_every_check_and_the_fast_tests(tree: Path) -> None:
    assert steps(tree) == [ENVIRONMENT, *CHECKS, FAST]


def test_it_passes_other_arguments_on_to_pytest(tree: Path) -> None:
    assert steps(tree, "-k", "two words") == [ENVIRONMENT, *CHECKS, f"{FAST} [-k] [two words]"]


def test_slow_adds_the_long_sweeps(tree: Path) -> None:
    slow = FAST.replace("not slow and not gpu", "not gpu")
    assert steps(tree, "--slow", "-x") == [ENVIRONMENT, *CHECKS, f"{slow} [-x]"]


def test_only_runs_the_fast_tests_of_these_paths_and_no_other_check(tree: Path) -> None:
    chosen = ("tests", "tests/test_a.py::test_b[c d]", "-k", "no_such_path")
    assert steps(tree, "--only", *chosen) == [ENVIRONMENT, FAST + "".join(f" [{each}]" for each in chosen)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--only needs a path, such as: scripts/test --only tests/unit/workers"),
        (("-k", "tests"), "--only needs a path, such as: scripts/test --only tests/unit/workers"),
        (("",), "--only needs a path, such as: scripts/test --only tests/unit/workers"),
        (("tests", "test_a.py"), "test_a.py: no such file or folder in {root}"),
    ],
)
def test_only_without_an_existing_path_prints_one_line_and_runs_nothing(
    tree: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = run_script(tree, "--only", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"scripts/test: {message.format(root=tree)}\n"


def test_it_stops_at_the_first_check_that_fails_with_its_exit_code(tree: Path) -> None:
    (tree / ".venv/bin/mypy").write_text("#!/bin/sh\nexit 7\n")
    ran = run_script(tree)
    assert ran.returncode == 7
    assert ran.stdout.splitlines()[-1] == "== mypy"
