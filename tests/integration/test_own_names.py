"""A user's modules may have the names of our packages: commands find ours, and a job its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.run_files import results, small_files, summary

ONE_WORKER = ("--devices", "cpu:1", "--no-dashboard")
JOB = """
from pathlib import Path
import monitor, virnucpro_bus, workers

def job(input, output, context):
    from workers import count

    context.progress(1)
    if input.name == "small_01.fa":
        raise ValueError("bad")
    (output / f"{input.stem}.txt").write_text(" ".join(each.WHOSE for each in (monitor, virnucpro_bus, workers)))
    return count(input)

job.estimate = lambda path: len(workers.WHOSE)
"""
MODULE = "WHOSE = 'the user'\n\ndef count(input):\n    return 3\n"


def as_modules(folder: Path) -> None:
    for name in ("monitor", "virnucpro_bus", "workers"):
        (folder / f"{name}.py").write_text(MODULE)


def as_packages(folder: Path) -> None:
    for name in ("monitor", "virnucpro_bus", "workers"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(MODULE)


@pytest.mark.parametrize("write", [as_modules, as_packages])
def test_a_job_may_have_modules_of_our_names_beside_it(lab: Lab, write: Callable[[Path], None]) -> None:
    small_files(lab.folder / "in", 3)
    (lab.folder / "user_jobs.py").unlink()
    (lab.folder / "job_of_a_user.py").write_text(JOB)
    write(lab.folder)
    arguments = ("run", "in", "--out", "out", *ONE_WORKER, "--job", "job_of_a_user:job", "--retries", "1")
    ended = lab.run(*arguments)
    assert ended.wait() == 3, ended.stderr
    assert "estimates" not in ended.stderr
    assert summary(lab.folder / "out")["failures"] == {"small_01.fa": "ValueError: bad"}
    assert summary(lab.folder / "out")["totals"]["sequences"] == 6
    whole = b"the user the user the user"
    assert results(lab.folder / "out") == {"small_00.txt": whole, "small_02.txt": whole}


def test_a_job_with_such_a_module_imports_what_a_job_needs_from_virnucpro_bus(lab: Lab) -> None:
    small_files(lab.folder / "in", 1)
    (lab.folder / "workers.py").write_text(MODULE)
    (lab.folder / "job_of_a_user.py").write_text(
        "import workers\nfrom virnucpro_bus import EveryFileError, InputError, JobContext\n\n"
        "def job(input, output, context):\n"
        "    assert type(context) is JobContext\n"
        "    return workers.count(input)\n"
    )
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER, "--job", "job_of_a_user:job")
    assert ended.wait() == 0, ended.stderr


def test_a_job_may_be_in_a_module_of_such_a_name(lab: Lab) -> None:
    small_files(lab.folder / "in", 1)
    (lab.folder / "workers.py").write_text("def run(input, output, context):\n    return 1\n")
    ended = lab.run("run", "in", "--out", "out", *ONE_WORKER, "--job", "workers:run")
    assert ended.wait() == 0, ended.stderr


def test_commands_find_ours_before_those_of_the_python_path(lab: Lab) -> None:
    small_files(lab.folder / "in", 1)
    for name in ("workers", "monitor"):
        (lab.folder / f"{name}.py").write_text("raise ImportError('a module of the user')\n")
    own = {"PYTHONPATH": str(lab.folder)}
    assert lab.run("run", "in", "--out", "out", "--no-dashboard", "--devices", "cpu:1", **own).wait() == 0
    for arguments in (("monitor", "out", "--once", "--json"), ("doctor", "--json"), ("whatif", "out", "--json")):
        ended = lab.run(*arguments, **own)
        assert ended.wait() == 0, ended.stderr
