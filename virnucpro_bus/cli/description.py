"""The subcommands `completion`, `schema` and `version`: what shells and programs need to know of this one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import get_completion_class

PROGRAM = "virnucpro-bus"
VARIABLE = "_VIRNUCPRO_BUS_COMPLETE"
"""The environment variable by which a shell requests completions from the command."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes subcommands, options and file names on TAB.

    \b
    To load it in every new shell:
      bash  echo 'eval "$(virnucpro-bus completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(virnucpro-bus completion zsh)"' >> ~/.zshrc       (after compinit)
      fish  virnucpro-bus completion fish > ~/.config/fish/completions/virnucpro-bus.fish
    """
    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"{shell}: completion is not supported by this version of click")
    click.echo(completer(context.find_root().command, {}, PROGRAM, VARIABLE).source())


@click.command
def version() -> None:
    """Print the version, as --version does."""
    from importlib.metadata import version as version_of

    click.echo(f"{PROGRAM}, version {version_of(PROGRAM)}")


def _report_schema() -> dict[str, Any]:
    import msgspec

    from virnucpro_bus.fold.report import FleetReport

    return msgspec.json.schema(FleetReport)


def _events_schema() -> dict[str, Any]:
    from virnucpro_bus.events.json_schema import events_schema

    return events_schema()


# The types of all that is reported take long to load; --help needs only the names.
_SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {"report": _report_schema, "events": _events_schema}


@click.command
@click.argument("name", type=click.Choice(list(_SCHEMAS)))
def schema(name: str) -> None:
    """Print a JSON schema (draft 2020-12) of this version's output, with which other programs can check it.

    \b
    report  what `monitor --json` and `replay --json` print, and what summary.json starts with
    events  what `tail --jsonl` prints: one event

    \b
    Example:
      virnucpro-bus schema events > events.schema.json
    """
    click.echo(json.dumps({"$schema": DIALECT, **_SCHEMAS[name]()}, indent=2))
