"""What the command line says of a job is checked before the run, without importing the job."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.distributions import install_package
from virnucpro_bus.errors import UserError
from workers.jobs.checked_job import check_job

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package whose DESCRIPTION is the job "other": a NamedJob with these arguments."""

    def install(arguments: str, name: str = "other", more: str = "") -> None:
        source = (
            "from virnucpro_bus.errors import UserError\n"
            "from workers.jobs.named_job import JobOption, NamedJob\n"
            "from workers.jobs.requirements import Requirements\n"
            f"{more}\n"
            f"DESCRIPTION = NamedJob('of a test', 'others_job:run', {arguments})\n"
        )
        install_package(
            tmp_path / "site", "others_job", source, {"virnucpro_bus.jobs": {name: "others_job:DESCRIPTION"}}
        )
        monkeypatch.syspath_prepend(tmp_path / "site")
        monkeypatch.delitem(sys.modules, "others_job", raising=False)

    return install


def test_checking_a_job_does_not_import_the_users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job_of_a_user.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    check_job("job_of_a_user:run", {"any": "option"})
    assert "job_of_a_user" not in sys.modules


@pytest.mark.parametrize("spec", ["sixframe", "pkg.module:Class.method", "shell:wc {input} > {output}"])
def test_a_well_formed_job_passes_the_check(spec: str) -> None:
    check_job(spec, {})


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("sixframes", {}, "unknown job 'sixframes' (did you mean sixframe?); give embed, sixframe, virnucpro, "),
        ("", {}, "unknown job ''; give embed, "),
        ("bad\nname", {}, r"unknown job 'bad\x0aname'"),
        ("module:", {}, "MODULE:ATTR"),
        (":run", {}, "MODULE:ATTR"),
        ("a.py:run()", {}, "MODULE:ATTR"),
        ("pack/age:run", {}, "MODULE:ATTR"),
        ("sixframe", {"chunk": "0"}, "chunk"),
        ("sixframe", {"chunks": "5"}, "has no option 'chunks' (did you mean chunk?); it has: chunk"),
        ("sixframe", {"\x1b": "5"}, r"has no option '\x1b'; it has: chunk"),
        ("shell:wc {file}", {}, "unknown placeholder '{file}'"),
        ("shell:wc input", {}, "no {input}"),
        ("shell:", {}, "no {input}"),
        ("shell:wc {input}", {"chunk": "5"}, "takes no --job-option"),
        ("sixframe", {"chunk": "\udc80"}, "must be UTF-8 text"),
    ],
)
def test_an_invalid_job_is_refused_in_one_line(spec: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_job(spec, options)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_job_of_another_package_is_known_by_its_description_alone(install: Install) -> None:
    install("(JobOption('size', 'a size'),), reads='nucleotides', estimate=lambda path, options: 1.0")
    job = check_job("other", {"size": "5"})
    assert (job.target, job.reads, job.may_estimate) == ("others_job:run", "nucleotides", True)


def test_what_a_job_reads_may_depend_on_its_options(install: Install) -> None:
    install("(JobOption('kind', 'of model'),), reads=lambda options: options['kind']")
    assert check_job("other", {"kind": "proteins"}).reads == "proteins"
    with pytest.raises(UserError, match=r"^job other: reads must be nucleotides, proteins or both, not 'dna'$"):
        check_job("other", {"kind": "dna"})
    with pytest.raises(UserError, match=r"^job other: what it reads failed: KeyError: 'kind'$"):
        check_job("other", {})


def test_another_package_does_not_replace_a_job_of_ours(install: Install) -> None:
    install("", name="sixframe")
    assert check_job("sixframe", {}).target == "workers.jobs.sixframe:run_sixframe"


CHECKED = (
    "(JobOption('model', 'a folder', required=True),), "
    "requires=Requirements(('no_such_framework',), 'pip install it'), check=check"
)
CHECK = """
def check(options):
    if options["model"] == "small":
        raise UserError("the model is small")
    if options["model"] == "odd":
        raise KeyError("x\\x1b")
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modell": "m"}, "job other has no option 'modell' (did you mean model?); it has: model"),
        ({}, "job other needs --job-option model=...: a folder"),
        ({"model": "small"}, "the model is small"),
        ({"model": "odd"}, r"job other: the check of its options failed: KeyError: 'x\x1b'"),
        ({"model": "m"}, "job other needs no_such_framework, which is not installed here: pip install it"),
    ],
)
def test_options_are_checked_first_by_name_then_by_value_and_then_what_must_be_installed(
    install: Install, options: dict[str, str], message: str
) -> None:
    install(CHECKED, more=CHECK)
    with pytest.raises(UserError) as caught:
        check_job("other", options)
    assert str(caught.value) == message


def test_a_job_without_options_says_so(install: Install) -> None:
    install("")
    with pytest.raises(UserError, match="job other has no option 'size'; it has none"):
        check_job("other", {"size": "5"})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "raise ValueError('no\\nway')",
            "cannot be imported (others_job, others_job:DESCRIPTION): ValueError: no",
        ),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class NamedJob(tuple):\n    __new__ = lambda *_: 5", "must be of NamedJob, not of int (others_job, "),
    ],
)
def test_a_broken_description_is_one_line_that_names_the_package(
    install: Install, more: str, message: str
) -> None:
    install("", more=more)
    with pytest.raises(UserError) as caught:
        check_job("other", {})
    assert message in str(caught.value)
    assert str(caught.value).startswith("job other: ")
