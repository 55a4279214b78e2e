"""The `completion` subcommand: prints the script with which a shell completes our command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "virnucpro-bus"
VARIABLE = "_VIRNUCPRO_BUS_COMPLETE"
"""The environment variable by which a shell requests completions from the command."""


@click.command(short_help="Print the completion script for bash, zsh or fish.")
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
