"""The `relay` subcommand: serves a live run to viewers on other machines."""

from __future__ import annotations

import os
from pathlib import Path

import click

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag

_NICENESS = 5
"""Viewers must not slow down the workers."""


@click.command
@click.argument("run_dir", type=PathArgument(exists=True, file_okay=False, path_type=Path))
@click.option("--listen", "address", required=True, metavar="tcp://HOST:PORT",
              help="Address for viewers; HOST * is each address of this machine, PORT * a free port.")  # fmt: skip
def relay(run_dir: Path, address: str) -> int:
    """Serve the live run in RUN_DIR over TCP, read only, until it ends or you interrupt it.

    On 127.0.0.1 it needs no keys: watch through an ssh tunnel. An address that other machines can reach needs keys
    (virnucpro-bus keys --help) and admits only the clients on your list.

    \b
    Examples:
      virnucpro-bus relay first-run --listen tcp://127.0.0.1:5599
      virnucpro-bus relay first-run --listen 'tcp://*:5599'
    """
    from virnucpro_bus.history.protocol import HelloReply
    from virnucpro_bus.remote.feeds import LiveCapture
    from virnucpro_bus.remote.listen_address import parse_listen
    from virnucpro_bus.remote.serve import open_relay, serve

    clock = SystemClock()
    listen_address = parse_listen(address)
    capture = LiveCapture(run_dir, clock)
    os.nice(_NICENESS)
    with SignalFlag(*ENDING_SIGNALS) as signals:
        server = open_relay(listen_address, capture, HelloReply(capture.run, capture.host, ""), clock)
        try:
            serve(server, signals, clock, lambda: capture.is_complete)
        finally:
            server.close()
            capture.close()
    return 128 + signals.signal if signals.signal else 0
