"""A job's own estimates, made in real processes; if anything is wrong with them, the sizes are kept."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.distributions import install_package
from tests.support.lab import wait_until
from tests.support.plans import input_file
from workers.inputs.input_file import InputFile
from workers.jobs.checked_job import CheckedJob, check_job
from workers.launch import estimates
from workers.launch.estimates import apply_job_estimates

FILES = [input_file("long.fa", 900), input_file("deep.fa", 100)]
RUN = "def run(input, output, context):\n    return 1\n"

Write = Callable[[str], CheckedJob]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module into the current folder; returns its `run`."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> CheckedJob:
        (tmp_path / "estimated.py").write_text(text)
        return check_job("estimated:run", {})

    return write


def costs(files: Sequence[InputFile]) -> list[int]:
    return [file.cost for file in files]


def test_a_jobs_estimates_replace_the_sizes(job: Write) -> None:
    spec = job(RUN + "run.estimate = lambda path: {'long.fa': 0.25, 'deep.fa': 7}[path.name]\n")
    files, warning = apply_job_estimates(spec, FILES)
    assert (costs(files), warning) == ([250_000, 7_000_000], None)
    assert [file.id for file in files] == ["long.fa", "deep.fa"]


def test_the_estimates_of_a_class_are_made_without_an_instance(job: Write) -> None:
    spec = job(
        "class run:\n    def __init__(self, context):\n        raise MemoryError('a model is loaded here')\n"
        "    @staticmethod\n    def estimate(path):\n        return len(path.name)\n"
    )
    assert costs(apply_job_estimates(spec, FILES)[0]) == [7_000_000, 7_000_000]


def test_what_the_module_prints_does_no_harm(job: Write) -> None:
    spec = job(RUN + "print('hello', flush=True)\nrun.estimate = lambda path: print('asked', flush=True) or 2.0\n")
    files, warning = apply_job_estimates(spec, FILES)
    assert (costs(files), warning) == ([2_000_000, 2_000_000], None)


@pytest.mark.parametrize("spec", ["sixframe", "shell:cp {input} {output}", "nowhere.to_be:found"])
def test_a_job_without_a_module_keeps_the_sizes(job: Write, spec: str) -> None:
    assert apply_job_estimates(check_job(spec, {}), FILES) == (FILES, None)


def test_for_a_module_without_the_word_no_process_is_started(
    job: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "ask", pytest.fail)
    spec = job(RUN + "open('imported', 'w').close()\n")
    assert apply_job_estimates(spec, FILES) == (FILES, None)
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("word", ["estimate", "no such word"])
def test_a_module_of_a_package_without_the_word_is_not_imported_and_its_package_neither(
    job: Write, tmp_path: Path, word: str
) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "__init__.py").write_text("open('package', 'w').close()\n")
    (tmp_path / "packed" / "jobs.py").write_text(RUN + f"# {word}\nopen('module', 'w').close()\n")
    assert apply_job_estimates(check_job("packed.jobs:run", {}), FILES) == (FILES, None)
    assert [(tmp_path / name).exists() for name in ("package", "module")] == [word == "estimate"] * 2


def test_a_job_that_only_mentions_estimates_has_none(job: Write) -> None:
    assert apply_job_estimates(job(RUN + "# no estimate\n"), FILES) == (FILES, None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("run.estimate = lambda path: 1 / (path.name != 'deep.fa')", "deep.fa: ZeroDivisionError: division"),
        ("run.estimate = lambda path: None", "long.fa: TypeError"),
        ("run.estimate = lambda path: -1", "long.fa: -1.0 is not from 0 to 1e+12"),
        ("run.estimate = lambda path: float('nan')", "long.fa: nan is not from 0"),
        ("run.estimate = lambda path: 1e13", "long.fa: 10000000000000.0 is not from 0"),
        ("run.estimate = 5", "TypeError"),
        ("def estimate(path): raise SystemExit('no\\nmore\\x1b[31m')\nrun.estimate = estimate", "SystemExit: no"),
        ("import estimate_of_nobody", "cannot be loaded: ModuleNotFoundError"),
        ("raise KeyboardInterrupt('not you')  # estimate", "cannot be loaded: KeyboardInterrupt: not you"),
        ("import os\nos._exit(3)  # estimate", "exit status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)  # estimate", "exit status -11"),
    ],
)
def test_any_problem_keeps_the_sizes_and_gives_the_reason_in_one_line(
    job: Write, text: str, complaint: str
) -> None:
    files, warning = apply_job_estimates(job(f"{RUN}{text}\n"), FILES)
    assert files == FILES
    assert warning is not None
    assert complaint in warning
    assert warning.isprintable()


DESCRIPTION = """
import os
from workers.jobs.named_job import JobOption, NamedJob
def estimate(path, options):
    return len(path.name) * int(options["unit"]) if os.getpid() != {launcher} else None
SIZED = NamedJob("of a test", "nowhere:run", (JobOption("unit", "a unit"),), {estimate})
"""


@pytest.fixture
def named_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], CheckedJob]]:
    """Installs the job "sized", in another package; returns it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def install(estimate: str) -> CheckedJob:
        source = DESCRIPTION.format(launcher=os.getpid(), estimate=estimate)
        install_package(tmp_path, "sized_job", source, {"virnucpro_bus.jobs": {"sized": "sized_job:SIZED"}})
        return check_job("sized", {"unit": "3"})

    yield install
    sys.modules.pop("sized_job", None)


def test_a_named_job_estimates_by_its_options_in_the_other_process(
    named_job: Callable[[str], CheckedJob],
) -> None:
    files, warning = apply_job_estimates(named_job("estimate=estimate"), FILES)
    assert (costs(files), warning) == ([21_000_000, 21_000_000], None)


def test_no_process_is_started_for_a_named_job_without_estimates(
    named_job: Callable[[str], CheckedJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert apply_job_estimates(named_job(""), FILES) == (FILES, None)


def test_an_estimator_that_cannot_be_started_keeps_the_sizes(job: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    spec = job(RUN + "run.estimate = lambda path: 1\n")
    monkeypatch.setattr(subprocess, "Popen", refuse)
    files, warning = apply_job_estimates(spec, FILES)
    assert files is FILES
    assert warning is not None
    assert warning.endswith("the estimating process cannot be started: Resource temporarily unavailable")


def test_estimating_that_takes_too_long_is_ended_with_all_its_processes(job: Write, tmp_path: Path) -> None:
    spec = job(
        RUN + "import subprocess, time\n"
        "def estimate(path):\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    open('child', 'w').write(str(child.pid))\n"
        "    time.sleep(600)\n"
        "run.estimate = estimate\n"
    )
    files, warning = apply_job_estimates(spec, FILES, timeout_seconds=2.0)
    assert files == FILES
    assert warning is not None
    assert warning.endswith("estimating takes longer than 2 s")
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_running(child), "the child has ended")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
