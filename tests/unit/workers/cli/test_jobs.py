"""The command `jobs` lists what --job takes by name, and what each job asks for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tests.support.distributions import install_package
from virnucpro_bus.cli.main import main
from workers.cli.run_options import complete_jobs

NEEDY = """
from workers.jobs.named_job import JobOption, NamedJob
from workers.jobs.requirements import Requirements
JOB = NamedJob(
    "reads \\x1b[2J minds",
    "mind_job:run",
    (
        JobOption("mind", "whose", required=True),
        JobOption("depth", "how deep", default="3"),
        JobOption("x", "more"),
    ),
    requires=Requirements(("no_such_reader",), "pip install 'mind-job[reader]'"),
    reads="nucleotides",
)
"""


@pytest.fixture
def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What `jobs ARGUMENTS` prints where two more packages are installed, one of them broken."""
    for name, source in (("mind_job", NEEDY), ("torn_job", "raise ValueError('no\\nway')\n")):
        job = name.partition("_")[0]
        install_package(tmp_path, name, source, {"virnucpro_bus.jobs": {job: f"{name}:JOB"}}, version="2.5")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def show(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["jobs", *arguments])
        output = capsys.readouterr()
        assert (ended.value.code, output.err) == (0, "") or output.err.count("\n") == 1
        return output.out or output.err

    return show


def test_all_jobs_are_listed_with_the_package_of_those_of_others(shown: Callable[..., str]) -> None:
    lines = " ".join(shown().split())
    assert "sixframe VirNucPro's first stage: chunks of the sequences" in lines
    assert (
        r"mind reads \x1b[2J minds (of the package mind_job); needs what is not installed here: no_such" in lines
    )
    assert r"torn job torn: cannot be imported (torn_job, torn_job:JOB): ValueError: no\x0away" in lines


def test_a_job_is_shown_with_its_options_and_what_it_needs(shown: Callable[..., str]) -> None:
    assert shown("mind").splitlines() == [
        "job        mind",
        r"does       reads \x1b[2J minds",
        "reads      nucleotides, no proteins",
        "of         mind_job 2.5",
        "runs here  no: needs no_such_reader, which is not installed here: pip install 'mind-job[reader]'",
        "usage      virnucpro-bus run INPUT... --out DIR --job mind --job-option mind=...",
        "options, each after --job-option:",
        "  mind=   whose (required)",
        "  depth=  how deep (default: 3)",
        "  x=      more",
    ]


def test_json_has_all_of_it_and_null_where_a_job_cannot_be_imported(shown: Callable[..., str]) -> None:
    jobs = {job["name"]: job for job in json.loads(shown("--json"))["jobs"]}
    assert list(jobs) == ["embed", "mind", "sixframe", "torn", "virnucpro"]
    assert jobs["mind"] == json.loads(shown("mind", "--json"))
    assert jobs["mind"]["missing"] == ["no_such_reader"]
    assert (jobs["mind"]["package"], jobs["mind"]["version"]) == ("mind_job", "2.5")
    assert jobs["sixframe"] == {
        "name": "sixframe",
        "summary": jobs["sixframe"]["summary"],
        "package": "virnucpro-bus",
        "version": jobs["embed"]["version"],
        "target": "workers.jobs.sixframe:run_sixframe",
        "reads": "nucleotides",
        "options": [
            {"name": "chunk", "help": "length of the chunks in bases", "default": "500", "required": False}
        ],
        "missing": [],
        "problem": None,
    }
    torn = jobs["torn"]
    assert (torn["summary"], torn["target"], torn["reads"], torn["options"]) == (None, None, None, [])
    assert torn["problem"].startswith("job torn: cannot be imported")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("sixfram", "virnucpro-bus: unknown job 'sixfram' (did you mean sixframe?); give embed, mind, sixframe, "),
        ("torn", "virnucpro-bus: job torn: cannot be imported (torn_job, torn_job:JOB): ValueError"),
    ],
)
def test_a_job_that_cannot_be_shown_is_one_line(shown: Callable[..., str], name: str, line: str) -> None:
    assert shown(name).startswith(line)


def test_the_shell_completes_the_names_of_jobs(shown: Callable[..., str]) -> None:
    context = click.Context(click.Command("run"))
    assert [each.value for each in complete_jobs(context, click.Option(["--job"]), "s")] == ["sixframe"]
    assert "mind" in [each.value for each in complete_jobs(context, click.Option(["--job"]), "")]
