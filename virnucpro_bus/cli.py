"""The `virnucpro-bus` command: finds its subcommands by entry point, imports only the one that is called."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points, version

import click

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible

COMMANDS_GROUP = "virnucpro_bus.commands"
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class LazyCommands(click.Group):
    """A group whose commands stand in package metadata; a command's module is imported when it is called."""

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=COMMANDS_GROUP)}

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(self._entry_points())

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        point = self._entry_points().get(name)
        if point is None:
            return None
        command: click.Command = point.load()
        return command


@click.group(
    cls=LazyCommands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(version("virnucpro-bus"), prog_name="virnucpro-bus")
@click.pass_context
def cli(context: click.Context) -> int | None:
    """Run a model over many sequence files on several GPUs, and see truthfully how the load is spread.

    \b
    Start here:
      virnucpro-bus run samples/ --out results-dir        run, with a live dashboard
      virnucpro-bus monitor results-dir                   watch the run from another terminal
      virnucpro-bus replay results-dir/run.vbus           watch it again afterwards
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help(), err=True)
    return EXIT_USAGE


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. A user's mistake is one line on stderr and exit status 2."""
    try:
        status = cli.main(arguments, standalone_mode=False)
    except UserError as error:
        _say(str(error))
        sys.exit(EXIT_USAGE)
    except click.ClickException as error:
        _say(_in_one_line(error))
        sys.exit(EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (| head); Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _in_one_line(error: click.ClickException) -> str:
    """What is wrong with the command line, without click's three lines of usage before it."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message}; see {error.ctx.command_path} --help"
    return message


def _say(message: str) -> None:
    lines = [visible(line) for line in message.splitlines()]
    print("virnucpro-bus:", "\n  ".join(lines), file=sys.stderr)
