"""What a user's job states that it reads: a text that the source of its module assigns to the name `reads`.

In a class that is `reads = "nucleotides"`, and beside a function called count `count.reads = "nucleotides"`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.inputs.names import READS, READS_EXPECTED, Reads
from workers.jobs.source.module_source import read_source

_NAME = "reads"


def stated_reads(module: str, attribute: str) -> Reads:
    """Return what the job states that it reads; "both" where it states nothing, or has no source to read.

    Raises UserError for a text that is none of these. The base classes in the same module count too.
    """
    source = read_source(module)
    if source is None or _NAME.encode() not in source:
        return "both"
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "both"  # the workers report it
    stated = _last_text([*_in_class(body, attribute.split("."), frozenset()), *_beside(body, attribute)])
    for reads in READS:
        if stated in (None, reads):
            return "both" if stated is None else reads
    raise UserError(
        f"job '{visible(module)}:{visible(attribute)}': {_NAME} {READS_EXPECTED}, not {visible(repr(stated))}"
    )


def _in_class(body: Iterable[ast.stmt], path: list[str], seen: frozenset[str]) -> Iterator[ast.expr]:
    """Yield what is assigned in the class of this qualified name, after what is in its bases."""
    body = list(body)
    for statement in body:
        if not isinstance(statement, ast.ClassDef) or statement.name != path[0]:
            continue
        if len(path) > 1:
            yield from _in_class(statement.body, path[1:], frozenset())
            continue
        for base in reversed(statement.bases):
            if isinstance(base, ast.Name) and base.id not in seen:
                yield from _in_class(body, [base.id], seen | {path[0], base.id})
        yield from (value for target, value in _assignments(statement.body) if target == _NAME)


def _beside(body: Iterable[ast.stmt], attribute: str) -> Iterator[ast.expr]:
    """Yield what is assigned to the job's attribute in the module."""
    return (value for target, value in _assignments(body) if target == f"{attribute}.{_NAME}")


def _assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        if isinstance(statement, ast.Assign):
            yield from ((ast.unparse(target), statement.value) for target in statement.targets)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield ast.unparse(statement.target), statement.value


def _last_text(values: Iterable[ast.expr]) -> str | None:
    """Return the last value if it is a text: a job may use the name for something else; None: it does."""
    last = None
    for value in values:
        last = value
    return last.value if isinstance(last, ast.Constant) and isinstance(last.value, str) else None
