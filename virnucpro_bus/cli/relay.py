"""The subcommand `relay`: a live run, to be watched from other machines."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.history.protocol import HelloReply
from virnucpro_bus.remote.feeds import LiveCapture
from virnucpro_bus.remote.listen_address import parse_listen
from virnucpro_bus.remote.serve import open_relay, serve
from virnucpro_bus.system.signals import SignalFlag

_NICER = 5


@click.command(short_help="Let a live run be watched from other machines.")
@click.argument("run_dir", type=PathArgument(exists=True, file_okay=False, path_type=Path))
@click.option("--listen", "address", required=True, metavar="tcp://HOST:PORT",
              help="Where viewers connect to; * as HOST: every address of this machine.")  # fmt: skip
def relay(run_dir: Path, address: str) -> int:
    """Let the live run in RUN_DIR be watched over TCP, read only, until it is over or you interrupt.

    On 127.0.0.1 it needs no keys: watch through an ssh tunnel. An address that other machines can reach needs keys
    (virnucpro-bus keys --help), and lets in only the clients on your list.

    \b
    Examples:
      virnucpro-bus relay first-run --listen tcp://127.0.0.1:5599
      virnucpro-bus relay first-run --listen 'tcp://*:5599'
    """
    clock = SystemClock()
    listen_address = parse_listen(address)
    capture = LiveCapture(run_dir)
    # Watching comes after the work.
    os.nice(_NICER)
    with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        opened = open_relay(listen_address, capture, HelloReply(capture.run, capture.host, ""), clock)
        try:
            serve(opened, signals, clock, lambda: capture.is_complete)
        finally:
            opened.close()
            capture.close()
    return 128 + signals.signal if signals.signal else 0
