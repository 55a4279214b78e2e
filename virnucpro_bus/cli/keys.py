"""The `keys` subcommands `new`, `list`, `allow` and `revoke`: keys for watching from another machine."""

from __future__ import annotations

import os
import shlex
import socket

import click

from virnucpro_bus.errors import UserError
from virnucpro_bus.remote.keys import ClientList, identity_path, load_identity, new_identity, parse_key
from virnucpro_bus.text import visible


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> int | None:
    """Manage the keys for watching from another machine.

    On each machine a user has one key pair and one list of clients: the public keys that may watch this user's
    runs through `relay` or `run --listen`. Public keys may be shown to anyone; the secret key stays in its file.

    \b
    Examples:
      virnucpro-bus keys new                        on both machines
      virnucpro-bus keys allow PUBLIC_KEY laptop    on the machine of the run, with the key of the viewer's machine
      virnucpro-bus keys revoke laptop              also closes an open connection
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help(), err=True)
    return 2


@keys.command("new")
def new() -> None:
    """Create this user's key pair on this machine, once.

    \b
    Example:
      virnucpro-bus keys new
    """
    public = new_identity().public.hex()
    host = socket.gethostname()
    click.echo(f"public key  {public}")
    click.echo(f"secret key  in {visible(str(identity_path()))}; it never leaves this machine")
    click.echo("\nTo watch a run on another machine from here, run this there:")
    click.echo(f"  virnucpro-bus keys allow {public} {shlex.quote(visible(host))}")
    click.echo("To let others watch a run on this machine, allow their keys and give them this command:")
    click.echo(f"  virnucpro-bus monitor tcp://{visible(host)}:PORT --server-key {public}")


@keys.command("list")
def list_keys() -> None:
    """Show this user's public key and the list of clients.

    \b
    Example:
      virnucpro-bus keys list
    """
    clients = ClientList()
    allowed = clients.current()
    if os.path.lexists(identity_path()):
        click.echo(f"own key  {load_identity().public.hex()}  ({visible(str(identity_path()))})")
    else:
        click.echo("own key  none; create one with: virnucpro-bus keys new")
    if clients.problem is not None:
        raise UserError(clients.problem)
    click.echo(f"clients  {len(allowed)} ({visible(str(clients.path))})")
    for key, name in allowed.items():
        click.echo(f"  {key.hex()}  {name}")


@keys.command("allow")
@click.argument("public_key")
@click.argument("name", required=False)
def allow(public_key: str, name: str | None) -> None:
    """Allow a client to watch.

    The owner of PUBLIC_KEY may watch under NAME (default: the key's first 8 characters). Running relays admit it
    within a second.

    \b
    Example:
      virnucpro-bus keys allow 5e0f...c2 laptop    # all 64 characters, as `keys list` shows them
    """
    key = parse_key(public_key)
    client = ClientList().allow(key, name)
    click.echo(f"{client} may watch ({key.hex()})")


@keys.command("revoke")
@click.argument("client", metavar="NAME|PUBLIC_KEY")
def revoke(client: str) -> None:
    """Remove a client from the list. Running relays disconnect it within seconds.

    \b
    Example:
      virnucpro-bus keys revoke laptop
    """
    click.echo(f"{ClientList().revoke(client)} may no longer watch")
