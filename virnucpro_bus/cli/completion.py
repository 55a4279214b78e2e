"""The subcommand `completion`: what a shell needs to complete our command line by TAB."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "virnucpro-bus"
VARIABLE = "_VIRNUCPRO_BUS_COMPLETE"
"""By its value in the environment the command knows that a shell asks it how to go on."""


@click.command(short_help="Print what bash, zsh or fish needs to complete our command line.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script after which SHELL completes subcommands, options and file names by TAB.

    \b
    To have it in every new shell:
      bash  echo 'eval "$(virnucpro-bus completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(virnucpro-bus completion zsh)"' >> ~/.zshrc       (after compinit)
      fish  virnucpro-bus completion fish > ~/.config/fish/completions/virnucpro-bus.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"this version of click knows no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
