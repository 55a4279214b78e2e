"""Which job is meant by a spec: "sixframe", "shell:CMD ..." or "MODULE:ATTR".

ATTR is a callable, or a class that is made once in each worker with the context (load the model there) and whose
instance is called.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.jobs.interface import Job, JobContext, count_of
from workers.jobs.shell import check_template, shell_job

SHELL_PREFIX = "shell:"


def check_job(spec: str, options: Mapping[str, str]) -> None:
    """Check all that can be checked without importing a user's module. Raises UserError."""
    for text in (spec, *options, *options.values()):
        if not _is_unicode(text):
            raise UserError(f"{visible(text)}: a job and its options must be UTF-8 text")
    if spec == "sixframe":
        from workers.jobs.sixframe import chunk_option  # what nobody runs need not be loaded by each worker

        chunk_option(options)
    elif spec.startswith(SHELL_PREFIX):
        check_template(spec.removeprefix(SHELL_PREFIX))
        if options:
            raise UserError(f"a shell: job takes no --job-option (given: {visible(min(options))})")
    else:
        _module_and_attribute(spec)


def make_job(spec: str, context: JobContext) -> Callable[[Path, Path], int]:
    """The job that `spec` names, ready to be called with input and output folder; for use in a worker.

    A module is also looked for in the current folder. Raises UserError when the job cannot be had. The callable
    raises what the job raises, and UserError when the job does not return a count.
    """
    check_job(spec, context.options)
    job = load_job(spec, context)

    def run(input: Path, output: Path) -> int:
        context.begin_file()
        returned: object = job(input, output, context)
        sequences = count_of(returned)
        if sequences is None:
            raise UserError(
                f"job {_shown(spec)} returned {_brief(returned)}; it must return the number of sequences done"
            )
        return sequences

    return run


def load_job(spec: str, context: JobContext) -> Job:
    """The bare job that a checked `spec` names; a class is made with `context`. Raises UserError."""
    if spec == "sixframe":
        from workers.jobs.sixframe import run_sixframe

        return run_sixframe
    if spec.startswith(SHELL_PREFIX):
        return shell_job(spec.removeprefix(SHELL_PREFIX))
    found = named_by(spec)
    try:
        made = found(context) if isinstance(found, type) else found
    except Exception as error:
        raise _not_loaded(spec, error) from error
    if not callable(made):
        raise UserError(f"job {_shown(spec)} is not callable but {_brief(made)}")
    job: Job = made
    return job


def is_users_own(spec: str) -> bool:
    """Whether a checked `spec` names something in a user's module."""
    return spec != "sixframe" and not spec.startswith(SHELL_PREFIX)


def module_of(spec: str) -> str:
    """The module that a `spec` MODULE:ATTR names; from now on it is also looked for in the current folder."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    return _module_and_attribute(spec)[0]


def named_by(spec: str) -> Any:
    """What a `spec` MODULE:ATTR names: a job, or the class of one. Raises UserError when it cannot be imported."""
    module, attribute = module_of(spec), _module_and_attribute(spec)[1]
    try:
        return attrgetter(attribute)(importlib.import_module(module))
    except Exception as error:
        raise _not_loaded(spec, error) from error


def _not_loaded(spec: str, error: Exception) -> UserError:
    # Whatever a user's module does wrong while it loads, the run cannot begin and the user can mend it.
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
    """`thing` on one line: an exception's text, another object's repr."""
    text = str(thing) if isinstance(thing, Exception) else repr(thing)
    return visible(text.strip().partition("\n")[0][:300])
