"""The jobs with a name that are installed here, ours and those of other packages.

For what runs before the workers. They are given the target of their job, because to search the packages, and to
import what does that, takes 30 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from virnucpro_bus.errors import UserError
from virnucpro_bus.plugins import Plugins
from virnucpro_bus.spelling import did_you_mean
from virnucpro_bus.text import text_of, visible
from workers.inputs.names import READS, READS_EXPECTED, Reads
from workers.jobs.named_job import NamedJob, Options

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Answer = TypeVar("Answer")
JOBS = Plugins("virnucpro_bus.jobs", NamedJob, "job")


def find_job(name: str) -> NamedJob:
    """Import the description of a job. Raises UserError when it is not installed, or cannot be imported."""
    return JOBS.load(entry_point_of(name))


def entry_point_of(name: str) -> EntryPoint:
    """Return the entry point that names the description of a job. Raises UserError when it is not installed."""
    jobs = JOBS.installed()
    if name not in jobs:
        known = ", ".join([*map(visible, jobs), "MODULE:ATTR"])
        raise UserError(
            f"unknown job '{visible(name)}'{did_you_mean(name, jobs)}; "
            f"give {known} or 'shell:CMD {{input}} {{output}}'"
        )
    return jobs[name]


def check_named_job(name: str, job: NamedJob, options: Options) -> None:
    """Raise UserError for options that the job refuses, and for a package that it needs and that is missing."""
    shown = f"job {visible(name)}"
    known = [option.name for option in job.options]
    for given in options:
        if given not in known:
            has = f"it has: {', '.join(map(visible, known))}" if known else "it has none"
            raise UserError(f"{shown} has no option '{visible(given)}'{did_you_mean(given, known)}; {has}")
    for option in job.options:
        if option.required and option.name not in options:
            raise UserError(f"{shown} needs --job-option {visible(option.name)}=...: {visible(option.help)}")
    if job.check is not None:
        _ask_job(shown, "the check of its options", partial(job.check, options))
    if job.requires is not None and (problem := job.requires.problem()) is not None:
        raise UserError(f"{shown} {problem}")


def reads_of(name: str, job: NamedJob, options: Options) -> Reads:
    """Return what a job reads with these options, which it has checked. Raises UserError if it gives no answer."""
    shown = f"job {visible(name)}"
    given = job.reads
    reads = _ask_job(shown, "what it reads", partial(given, options)) if callable(given) else given
    if reads not in READS:
        raise UserError(f"{shown}: reads {READS_EXPECTED}, not {visible(text_of(reads, repr))}")
    return reads


def _ask_job(shown: str, question: str, ask: Callable[[], Answer]) -> Answer:
    """Return what a function of a job's description returns. Raises UserError, whatever it raises."""
    try:
        return ask()
    except UserError:
        raise
    except Exception as error:  # code of another package
        reason = f"{type(error).__name__}: {text_of(error)}"
        raise UserError(f"{shown}: {question} failed: {visible(reason)}") from None
