"""Which module is imported where a user's has the name of one of our packages, in small real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from virnucpro_bus.system.own_packages import NAMES, own_program

CLAIM = "from virnucpro_bus.system.own_packages import claim_names, give_way_to_job\nclaim_names()\n"
OURS = [str(ROOT / name / "__init__.py") for name in NAMES]


def python(folder: Path, program: str) -> list[str]:
    """What `program` prints, with `folder` on PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-P", "-c", program]
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def files_of(*names: str) -> str:
    """A program that prints where the modules `names` are from."""
    return f"import {', '.join(names)}\nprint(*({', '.join(f'{name}.__file__' for name in names)},), sep='\\n')\n"


def test_once_claimed_our_packages_are_found_before_the_import_path(tmp_path: Path) -> None:
    for name in ("workers", "monitor"):
        (tmp_path / f"{name}.py").touch()
    assert python(tmp_path, CLAIM + files_of(*NAMES)) == OURS


def test_nothing_but_our_packages_is_found_there(tmp_path: Path) -> None:
    """Our folder may be site-packages, and must not come before the import path for anything else."""
    (tmp_path / "msgspec.py").touch()
    assert python(tmp_path, CLAIM + files_of("msgspec")) == [str(tmp_path / "msgspec.py")]


def test_a_library_that_is_only_imported_claims_nothing(tmp_path: Path) -> None:
    (tmp_path / "workers.py").touch()
    assert python(tmp_path, "import virnucpro_bus\n" + files_of("workers")) == [str(tmp_path / "workers.py")]


@pytest.mark.parametrize("name", NAMES)
def test_a_jobs_module_wins_and_the_other_names_stay_ours(tmp_path: Path, name: str) -> None:
    # After the claim, because before it this stands for a file beside the job.
    write = f"open({str(tmp_path / f'{name}.py')!r}, 'w').close()\n"
    program = CLAIM + files_of(*NAMES) + write + "give_way_to_job()\ngive_way_to_job()\n" + files_of(*NAMES)
    own = [str(tmp_path / f"{name}.py") if each == name else home for each, home in zip(NAMES, OURS, strict=True)]
    assert python(tmp_path, program) == OURS + own


def test_a_jobs_module_is_imported_once(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text("print('imported')\n")
    again = "give_way_to_job()\nimport workers\n"
    assert python(tmp_path, CLAIM + again + again) == ["imported"]


def test_a_folder_without_init_hides_nothing_and_its_modules_are_found(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "helper.py").touch()
    program = CLAIM + "give_way_to_job()\n" + files_of("workers", "workers.protocol", "workers.helper")
    found = [
        ROOT / "workers" / "__init__.py",
        ROOT / "workers" / "protocol.py",
        tmp_path / "workers" / "helper.py",
    ]
    assert python(tmp_path, program) == list(map(str, found))


def test_a_program_of_ours_is_started_whatever_the_import_path_holds(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("raise ImportError('a module of the user')\n")
    command = [*own_program("virnucpro_bus.cli.main"), "--version"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "virnucpro-bus" in ran.stdout


@pytest.mark.parametrize("name", ["WorkStealingCoordinator", "JobContext"])
def test_a_public_name_says_which_module_of_the_user_hides_its_package(tmp_path: Path, name: str) -> None:
    (tmp_path / "workers.py").touch()
    program = f"try:\n    from virnucpro_bus import {name}\nexcept ImportError as error:\n    print(error)"
    assert python(tmp_path, program) == [
        f"virnucpro_bus.{name} is in the package 'workers' of virnucpro-bus, which {tmp_path}/workers.py hides; "
        "rename that"
    ]
