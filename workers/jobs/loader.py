"""The loader: imports the job that a worker runs, and makes an instance of it if it is a class.

A spec is NAME, MODULE:ATTR or "shell:CMD ...". What a name stands for, its target, is MODULE:ATTR too, but of an
installed package: only a module that the user names is also searched for in the current folder. ATTR is a
callable, or a class. Of a class, each worker creates one instance, with the context (a model is loaded there), and
calls it for each file.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

# By its public name, which is found from now on: a job that has its own module `workers` imports it by that name.
from virnucpro_bus import JobContext
from virnucpro_bus.errors import EveryFileError, UserError
from virnucpro_bus.system.own_packages import give_way_to_job
from virnucpro_bus.text import text_of, visible
from workers.jobs.interface import Job, count_of
from workers.jobs.shell import shell_job

SHELL_PREFIX = "shell:"


def make_job(spec: str, context: JobContext, target: str | None = None) -> Callable[[Path, Path], int]:
    """Return the job that a checked `spec` names, to be called with input file and output folder.

    For use in a worker. `target` is what a name stands for; None: `spec` is not a name. Raises UserError when the
    job cannot be loaded. The callable raises what the job raises, and EveryFileError when it returns no count.
    """
    job = load_job(spec, context, target)

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


def load_job(spec: str, context: JobContext, target: str | None = None) -> Job:
    """Return the bare job that a checked `spec` names, an instance if that is a class. Raises UserError."""
    if spec.startswith(SHELL_PREFIX):
        return shell_job(spec.removeprefix(SHELL_PREFIX))
    named = import_job(spec) if target is None else _import(spec, target)
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


def admit_user_modules() -> None:
    """Put the current folder on the import path.

    A job may have modules of the names of our packages: from now on, `import` finds the job's.
    """
    current_folder = os.getcwd()
    if current_folder not in sys.path:
        sys.path.insert(0, current_folder)
    give_way_to_job()


def import_job(spec: str) -> Any:
    """Import what a user's `spec` MODULE:ATTR names: a job, or the class of one. Raises UserError."""
    admit_user_modules()
    return _import(spec, spec)


def split_spec(spec: str) -> tuple[str, str]:
    """Return the two parts of MODULE:ATTR. Raises UserError when `spec` is something else."""
    module, _, attribute = spec.partition(":")
    if not all(name.isidentifier() for name in [*module.split("."), *attribute.split(".")]):
        raise UserError(f"job {_shown(spec)} is not of the form MODULE:ATTR, such as mypackage.jobs:run")
    return module, attribute


def _import(spec: str, target: str) -> Any:
    module, attribute = split_spec(target)
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
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return UserError(f"job {_shown(spec)} cannot be loaded: {kind}{_brief(error)}")


def _shown(spec: str) -> str:
    return f"'{visible(spec)}'"


def _brief(thing: object) -> str:
    """Return `thing` in one line: the text of an exception, the repr of another object."""
    text = text_of(thing) if isinstance(thing, BaseException) else text_of(thing, repr)
    return visible(text.strip().partition("\n")[0][:300])
