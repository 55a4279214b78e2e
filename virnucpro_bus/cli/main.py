"""The `virnucpro-bus` command: calls a subcommand, and turns errors into one line and an exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys

import click

from virnucpro_bus.cli.commands import Subcommands, variable_of
from virnucpro_bus.errors import UserError
from virnucpro_bus.system.console import say
from virnucpro_bus.system.own_packages import claim_names
from virnucpro_bus.system.signals import end_quietly
from virnucpro_bus.system.standard_streams import abandon_output, prepare_standard_streams

EXIT_REFUSED = 1
"""The system refused something: a full disk, a name that is too long."""
EXIT_USAGE = 2
"""The command line, or a file that it names, is wrong."""
EXIT_INTERRUPTED = 130
_OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What an output raises that cannot be written; for a file of ours it is handled where that is written."""


@click.group(
    cls=Subcommands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="virnucpro-bus", prog_name="virnucpro-bus")
@click.pass_context
def cli(context: click.Context) -> int | None:
    """Run a model over many sequence files on several GPUs, and see truthfully how the load is spread.

    \b
    Start here:
      virnucpro-bus run samples/ --out results-dir        run, with a live dashboard
      virnucpro-bus monitor results-dir                   watch the run from another terminal
      virnucpro-bus replay results-dir/run.vbus           watch a recorded run

    Options can also be given by environment variables: VIRNUCPRO_BUS_RUN_RETRIES=5 stands for `run --retries 5`,
    and VIRNUCPRO_BUS_MONITOR_SORT=queue for `monitor --sort queue`, also in the monitor that a run starts.
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help(), err=True)
    return EXIT_USAGE


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    An error is one line on stderr; the status is 2 for a mistake of the user, and 1 where the system refused.
    """
    claim_names()
    prepare_standard_streams()
    status = _run(arguments)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Python waits for threads and cleans up: from here on nothing would catch a KeyboardInterrupt.
        signal.signal(signal.SIGINT, end_quietly)
    sys.exit(status)


def _run(arguments: list[str] | None) -> int:
    """Run the command line; return the exit status."""
    try:
        status = cli.main(arguments, standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        say(str(error))
        return EXIT_USAGE
    except click.ClickException as error:
        say(_one_line(error))
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        abandon_output()  # the reader has closed the pipe (| head)
        return EXIT_REFUSED
    except OSError as error:
        reason = error.strerror or str(error)
        is_output = abandon_output() or (error.filename is None and error.errno in _OUTPUT_ERRORS)
        place = "the output cannot be written" if is_output else error.filename
        if place is None and not _has_current_folder():
            place, reason = "the current folder", "it has been removed; change to another one"
        say(reason if place is None else f"{place}: {reason}")
        return EXIT_REFUSED
    return status if isinstance(status, int) else 0


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _one_line(error: click.ClickException) -> str:
    """Return click's message in one line, without the lines of usage before it."""
    message = error.format_message()
    if isinstance(error, click.MissingParameter):
        message = " ".join(message.split())  # its choices are listed below each other; it quotes no user text
    message = message.rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        variable = variable_of(error)
        given = "" if variable is None else f" (given by {variable})"
        return f"{message}{given}; see {error.ctx.command_path} --help"
    return message
