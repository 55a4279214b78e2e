"""What a job of a user's module states that it reads, without running the module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError
from workers.jobs.checked_job import check_job

Write = Callable[[str], str]
STOP = "raise SystemExit('it was run')\n"


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module into the current folder, which must not be run; returns the spec of its `job`."""
    monkeypatch.chdir(tmp_path)

    def write(source: str) -> str:
        (tmp_path / "stating_job.py").write_text(STOP + source)
        return "stating_job:job"

    return write


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("class job:\n    reads = 'nucleotides'\n", "nucleotides"),
        ("class job:\n    reads: str = 'proteins'\n", "proteins"),
        ("def job(): ...\njob.reads = 'nucleotides'\n", "nucleotides"),
        ("class Base:\n    reads = 'proteins'\nclass job(Base): ...\n", "proteins"),
        ("class Base:\n    reads = 'proteins'\nclass job(Base):\n    reads = 'both'\n", "both"),
        ("class job:\n    reads = 'proteins'\njob.reads = 'nucleotides'\n", "nucleotides"),
        ("class other:\n    reads = 'proteins'\nclass job: ...\n", "both"),
        ("class job(job):\n    reads = 'proteins'\n", "proteins"),
        ("class job:\n    reads = 0\n", "both"),
        ("def job():\n    reads = 'nucleotides'\n", "both"),
        ("def job(): ...\n", "both"),
        ("class job:\n    reads = 'nucl", "both"),
    ],
)
def test_what_is_assigned_to_the_name_counts_and_nothing_else(job: Write, source: str, reads: str) -> None:
    assert check_job(job(source), {}).reads == reads


def test_a_class_in_a_class_of_a_module_in_a_package_counts_too(job: Write, tmp_path: Path) -> None:
    (tmp_path / "stating").mkdir()
    (tmp_path / "stating" / "__init__.py").write_text(STOP)
    (tmp_path / "stating" / "jobs.py").write_text(
        STOP + "class A:\n    class B:\n        reads = 'proteins'\n    reads = 'nucleotides'\n"
    )
    assert check_job("stating.jobs:A.B", {}).reads == "proteins"
    assert check_job("stating.jobs:A", {}).reads == "nucleotides"


def test_a_text_that_is_none_of_the_known_ones_is_refused(job: Write) -> None:
    with pytest.raises(UserError) as caught:
        check_job(job("class job:\n    reads = 'protein\\x1b'\n"), {})
    assert str(caught.value) == (
        "job 'stating_job:job': reads must be nucleotides, proteins or both, not 'protein\\x1b'"
    )


def test_a_module_that_is_not_there_and_a_shell_job_state_nothing() -> None:
    assert check_job("no_such_module_here:job", {}).reads == "both"
    assert check_job("shell:wc {input}", {}).reads == "both"
