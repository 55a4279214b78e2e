"""What is known of the installed jobs with a name, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from virnucpro_bus.errors import UserError
from virnucpro_bus.plugins import OWN_PACKAGE, package_of, version_of
from workers.jobs.named_job import NamedJob
from workers.jobs.named_jobs import JOBS, entry_point_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class OptionInfo(TypedDict):
    """An option of a job."""

    name: str
    help: str
    default: str | None
    """None: there is none."""
    required: bool


class JobInfo(TypedDict):
    """A job. Where it cannot be imported, what is not known without that is None, and `options` is empty."""

    name: str
    summary: str | None
    package: str
    """The package that it comes from."""
    version: str
    """The version of the package; "unknown" where it has none."""
    target: str | None
    """MODULE:ATTR that workers import."""
    reads: str | None
    """nucleotides, proteins or both; None: it depends on the options, or is unknown."""
    options: list[OptionInfo]
    missing: list[str]
    """Packages that it needs and that are not installed here."""
    problem: str | None
    """Why it cannot be run here, in one line; None: it can."""


def installed_jobs() -> list[JobInfo]:
    """Import the descriptions of all jobs; return what they say, by name."""
    return [_try(point) for point in JOBS.installed().values()]


def job_info(name: str) -> JobInfo:
    """Return what is known of one job. Raises UserError when it is not installed, or cannot be imported."""
    point = entry_point_of(name)
    return _describe(point, JOBS.load(point))


def _try(point: EntryPoint) -> JobInfo:
    try:
        return _describe(point, JOBS.load(point))
    except UserError as error:
        return {**_blank(point), "problem": str(error)}


def _describe(point: EntryPoint, job: NamedJob) -> JobInfo:
    requires = job.requires
    return {
        **_blank(point),
        "summary": job.summary,
        "target": job.target,
        "reads": None if callable(job.reads) else job.reads,
        "options": [
            OptionInfo(name=each.name, help=each.help, default=each.default, required=each.required)
            for each in job.options
        ],
        "missing": [] if requires is None else requires.missing(),
        "problem": None if requires is None else requires.problem(),
    }


def _blank(point: EntryPoint) -> JobInfo:
    """Return what is known before the description is imported."""
    return {
        "name": point.name,
        "summary": None,
        "package": package_of(point) or OWN_PACKAGE,
        "version": version_of(point),
        "target": None,
        "reads": None,
        "options": [],
        "missing": [],
        "problem": None,
    }
