"""The loader: finds the job that a spec names, "sixframe", "shell:CMD ..." or "MODULE:ATTR".

ATTR is a callable, or a class. Of a class, each worker creates one instance, with the context (a model is loaded
there), and calls it for each file.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from virnucpro_bus.errors import EveryFileError, UserError
from virnucpro_bus.system.own_packages import give_way_to_job
from virnucpro_bus.text import text_of, visible
from workers.jobs.interface import Job, JobContext, count_of
from workers.jobs.shell import check_template, shell_job

SHELL_PREFIX = "shell:"


def check_job(spec: str, options: Mapping[str, str]) -> None:
    """Check what can be checked without importing a user's module. Raises UserError."""
    for text in (spec, *options, *options.values()):
        if not _is_unicode(text):
            raise UserError(f"{visible(text)}: a job and its options must be UTF-8 text")
    if spec == "sixframe":
        from workers.jobs.sixframe import chunk_option  # imported only where it is used: each worker would load it

        chunk_option(options)
    elif spec.startswith(SHELL_PREFIX):
        check_template(spec.removeprefix(SHELL_PREFIX))
        if options:
            raise UserError(f"a shell: job takes no --job-option (given: {visible(min(options))})")
    else:
        _module_and_attribute(spec)


def make_job(spec: str, context: JobContext) -> Callable[[Path, Path], int]:
    """Return the job that `spec` names, to be called with input file and output folder. For use in a worker.

    A module is also searched for in the current folder. Raises UserError when the job cannot be loaded. The
    callable raises what the job raises, and EveryFileError when the job does not return a count.
    """
    check_job(spec, context.options)
    job = load_job(spec, context)

    def run(input: Path, output: Path) -> int:
        context.begin_file()
        returned: object = job(input, output, context)
        sequences = count_of(returned)
        if sequences is None:
            raise EveryFileError(
                f"job {_shown(spec)} returned {_brief(returned)}; it must return the number of sequences done"
            )
        return sequences

    return run


def load_job(spec: str, context: JobContext) -> Job:
    """Return the bare job that a checked `spec` names, an instance if that is a class. Raises UserError."""
    if spec == "sixframe":
        from workers.jobs.sixframe import run_sixframe

        return run_sixframe
    if spec.startswith(SHELL_PREFIX):
        return shell_job(spec.removeprefix(SHELL_PREFIX))
    named = import_job(spec)
    try:
        loaded = named(context) if isinstance(named, type) else named
    except BaseException as error:
        raise _loading_error(spec, error) from error
    if not callable(loaded):
        raise UserError(f"job {_shown(spec)} is not callable: it is {_brief(loaded)}")
    if not _accepts_three(loaded):
        raise UserError(f"job {_shown(spec)} cannot be called as job(input, output, context)")
    job: Job = loaded
    return job


def is_user_job(spec: str) -> bool:
    """Whether a checked `spec` names a job in a user's module."""
    return spec != "sixframe" and not spec.startswith(SHELL_PREFIX)


def reads_nucleotides(spec: str) -> bool:
    """Whether a checked `spec` names a job that reads nucleotides and no proteins; False: unknown."""
    return spec == "sixframe"


def module_of(spec: str) -> str:
    """Return the module that a `spec` MODULE:ATTR names, and put the current folder on the import path.

    A job may have modules of the names of our packages: from now on, `import` finds the job's.
    """
    current_folder = os.getcwd()
    if current_folder not in sys.path:
        sys.path.insert(0, current_folder)
    give_way_to_job()
    return _module_and_attribute(spec)[0]


def import_job(spec: str) -> Any:
    """Import what a `spec` MODULE:ATTR names: a job, or the class of one. Raises UserError."""
    module, attribute = module_of(spec), _module_and_attribute(spec)[1]
    try:
        return attrgetter(attribute)(importlib.import_module(module))
    except BaseException as error:
        raise _loading_error(spec, error) from error


def _accepts_three(job: Callable[..., object]) -> bool:
    """Whether a job can be called with three positional arguments, as far as its signature is known."""
    try:
        # What a decorator wraps may take other arguments than the decorator passes on.
        signature = inspect.signature(job, follow_wrapped=False)
    except Exception:
        return True  # written in C, for example
    try:
        signature.bind(None, None, None)
    except TypeError:
        return False
    return True


def _loading_error(spec: str, error: BaseException) -> UserError:
    # A UserError, whatever a user's module raises while it loads: the run cannot begin, and the user can fix it.
    # A module may also call sys.exit.
    return UserError(f"job {_shown(spec)} cannot be loaded: {type(error).__name__}: {_brief(error)}")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _module_and_attribute(spec: str) -> tuple[str, str]:
    module, colon, attribute = spec.partition(":")
    if not colon:
        raise UserError(
            f"unknown job {_shown(spec)}; give sixframe, MODULE:ATTR or 'shell:CMD {{input}} {{output}}'"
        )
    if not all(name.isidentifier() for name in [*module.split("."), *attribute.split(".")]):
        raise UserError(f"job {_shown(spec)} is not of the form MODULE:ATTR, such as mypackage.jobs:run")
    return module, attribute


def _shown(spec: str) -> str:
    return f"'{visible(spec)}'"


def _brief(thing: object) -> str:
    """Return `thing` in one line: the text of an exception, the repr of another object."""
    text = text_of(thing) if isinstance(thing, BaseException) else text_of(thing, repr)
    return visible(text.strip().partition("\n")[0][:300])
