"""Which subcommands there are. Each is imported when it is called, and none to list or complete their names.

Each of their options can be given by an environment variable too: VIRNUCPRO_BUS_RUN_RETRIES for `run --retries`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from importlib import import_module

import click

from virnucpro_bus.errors import UserError
from virnucpro_bus.plugins import Plugins
from virnucpro_bus.system.signals import end_quietly
from virnucpro_bus.text import visible

OWN = {
    "alerts": ("monitor.cli.prometheus:alerts", "Print Prometheus alert rules for the metrics of runs."),
    "completion": (
        "virnucpro_bus.cli.description:completion",
        "Print the completion script for bash, zsh or fish.",
    ),
    "doctor": ("monitor.cli.doctor:doctor", "Check this machine: package versions, GPUs, socket folder."),
    "effect": ("virnucpro_bus.cli.effect:effect", "Show whether work stealing helped."),
    "export": ("virnucpro_bus.cli.export:export", "Write recorded runs as a table or in another format."),
    "grafana": ("monitor.cli.prometheus:grafana", "Print a Grafana dashboard for the metrics of runs."),
    "hub": ("virnucpro_bus.cli.hub:hub", "Serve a bus for workers that other programs start."),
    "info": ("virnucpro_bus.cli.info:info", "Show what a capture contains."),
    "jobs": ("workers.cli.jobs:jobs", "List the jobs that a run takes by name, and their options."),
    "keys": ("virnucpro_bus.cli.keys:keys", "Manage the keys for watching from another machine."),
    "logs": ("monitor.cli.logs:logs", "Show what the jobs of a run have printed."),
    "ls": ("monitor.cli.ls:ls", "List your runs on this machine, and how they stand."),
    "monitor": ("monitor.cli.monitor:monitor", "Watch runs, or this machine's GPUs until one begins."),
    "record": ("virnucpro_bus.cli.record:record", "Record a live bus into a new capture."),
    "relay": ("virnucpro_bus.cli.relay:relay", "Let other machines watch a live run."),
    "replay": ("monitor.cli.replay:replay", "Watch a recorded run."),
    "report": ("monitor.cli.report:report", "Write a recorded run as one HTML page."),
    "run": ("workers.cli.run:run", "Run a job over many files on all devices, with a live dashboard."),
    "sample": (
        "monitor.cli.sample:sample",
        "Publish this machine's GPU samples on a bus (run and hub start it themselves).",
    ),
    "schema": ("virnucpro_bus.cli.description:schema", "Print the JSON schema of a report or of events."),
    "tail": ("virnucpro_bus.cli.tail:tail", "Print events, one per line, as they arrive."),
    "version": ("virnucpro_bus.cli.description:version", "Print the version."),
    "whatif": (
        "workers.cli.whatif:whatif",
        "Estimate how long a recorded run would have taken under other policies.",
    ),
}
"""Our subcommands: where each is, as MODULE:NAME, and what it does, in the line that lists it."""

OTHERS = Plugins("virnucpro_bus.commands", click.Command, "subcommand")
"""Those of other packages. They are imported to be listed: only they know what they do."""


class Listed(click.Command):
    """A subcommand as it is listed; `load` imports it. Raises UserError where that fails."""

    def __init__(self, name: str, summary: str, load: Callable[[], click.Command]) -> None:
        super().__init__(name, short_help=summary)
        self.load = load


class Subcommands(click.Group):
    """The group of our subcommands and those of other packages."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all installed subcommands."""
        return sorted({*OWN, *OTHERS.installed()})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a subcommand, or what is listed of it; None when there is none of this name."""
        if name in OWN:
            return Listed(name, OWN[name][1], partial(load_own, name))
        point = OTHERS.installed().get(name)
        if point is None:
            return None
        try:
            return OTHERS.load(point)
        except UserError as error:
            return Listed(name, visible(str(error)), partial(OTHERS.load, point))

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the subcommand that is called, or whose options are completed. Raises UsageError without one."""
        try:
            name, command, remaining = super().resolve_command(context, arguments)
        except click.UsageError as error:
            from virnucpro_bus.spelling import did_you_mean

            if meant := did_you_mean(arguments[0], self.list_commands(context)):
                raise click.UsageError(f"{error.message.removesuffix('.')}{meant}", context) from None
            raise
        if isinstance(command, Listed):
            command = command.load()
        if signal.getsignal(signal.SIGINT) is end_quietly:
            # All is imported, and a command must be able to clean up.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return name, command, remaining


def load_own(name: str) -> click.Command:
    """Import one of our subcommands."""
    place, summary = OWN[name]
    module, _, attribute = place.partition(":")
    from virnucpro_bus.system.memory import all_stays_in_use  # not for --help

    with all_stays_in_use():
        command: click.Command = getattr(import_module(module), attribute)
    command.short_help = summary
    _name_variables(command, f"VIRNUCPRO_BUS_{name}")
    return command


def _name_variables(command: click.Command, prefix: str) -> None:
    """Give each option its environment variable, called by the option and not by what the code calls its value."""
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            longest = max(option.opts, key=len)
            option.envvar = f"{prefix}_{longest.lstrip('-')}".replace("-", "_").upper()
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            _name_variables(below, f"{prefix}_{name}")


def variable_of(error: click.UsageError) -> str | None:
    """Return the environment variable that gave the value that is wrong; None if it was given otherwise."""
    option = getattr(error, "param", None)
    if error.ctx is None or not isinstance(option, click.Option) or option.name is None:
        return None
    is_from_there = error.ctx.get_parameter_source(option.name) is click.core.ParameterSource.ENVIRONMENT
    return option.envvar if is_from_there and isinstance(option.envvar, str) else None
