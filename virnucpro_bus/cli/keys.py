"""The subcommands `keys new`, `list`, `allow` and `revoke`: who may watch from another machine."""

from __future__ import annotations

import os
import shlex
import socket

import click

from virnucpro_bus.errors import UserError
from virnucpro_bus.remote.keys import ClientList, identity_path, load_identity, new_identity, parse_key
from virnucpro_bus.text import visible


@click.group(invoke_without_command=True, short_help="Say who may watch from another machine.")
@click.pass_context
def keys(context: click.Context) -> int | None:
    """Say who may watch from another machine.

    Each user has one key pair on a machine, and one list of clients: the public keys of those who may watch this
    user's runs through `relay` or `run --listen`. Public keys are no secret; the secret key stays in its file.

    \b
    Examples:
      virnucpro-bus keys new                        on both machines
      virnucpro-bus keys allow PUBLIC_KEY laptop    where the run is, with the key of the machine that watches
      virnucpro-bus keys revoke laptop              a connection that is open is cut off
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help(), err=True)
    return 2


@keys.command("new")
def new() -> None:
    """Make this user's key pair on this machine, once.

    \b
    Example:
      virnucpro-bus keys new
    """
    public = new_identity().public.hex()
    host = socket.gethostname()
    click.echo(f"public key  {public}")
    click.echo(f"secret key  in {visible(str(identity_path()))}; it never leaves this machine")
    click.echo("\nTo watch the run of another machine from here, have this done there:")
    click.echo(f"  virnucpro-bus keys allow {public} {shlex.quote(visible(host))}")
    click.echo("To let others watch a run that is here, allow their keys and give them this command:")
    click.echo(f"  virnucpro-bus monitor tcp://{visible(host)}:PORT --server-key {public}")


@keys.command("list")
def list_keys() -> None:
    """Show this user's public key, and who is allowed to watch.

    \b
    Example:
      virnucpro-bus keys list
    """
    clients = ClientList()
    allowed = clients.current()
    if os.path.lexists(identity_path()):
        click.echo(f"own key  {load_identity().public.hex()}  ({visible(str(identity_path()))})")
    else:
        click.echo("own key  none; make one with: virnucpro-bus keys new")
    if clients.problem is not None:
        raise UserError(clients.problem)
    click.echo(f"clients  {len(allowed)} ({visible(str(clients.path))})")
    for key, name in allowed.items():
        click.echo(f"  {key.hex()}  {name}")


@keys.command("allow")
@click.argument("public_key")
@click.argument("name", required=False)
def allow(public_key: str, name: str | None) -> None:
    """Let the owner of PUBLIC_KEY watch, under NAME (default: the first characters of the key).

    Relays that are running know it within a second.

    \b
    Example:
      virnucpro-bus keys allow 5e0f...c2 laptop    # all 64 characters, as `keys list` shows them there
    """
    key = parse_key(public_key)
    known_as = ClientList().allow(key, name)
    click.echo(f"{known_as} may watch ({key.hex()})")


@keys.command("revoke")
@click.argument("client", metavar="NAME|PUBLIC_KEY")
def revoke(client: str) -> None:
    """Let a client watch no longer. Running relays cut it off within seconds.

    \b
    Example:
      virnucpro-bus keys revoke laptop
    """
    click.echo(f"{ClientList().revoke(client)} may no longer watch")
