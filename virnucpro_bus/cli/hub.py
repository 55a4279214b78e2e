"""The subcommands that need neither workers nor a screen: `hub` and `info`."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import click
import zmq

from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.publish.publisher import ADDRESS_VARIABLE, RUN_VARIABLE
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag
from virnucpro_bus.text import visible


@click.command(short_help="Serve a bus for workers that were not started here.")
@click.argument("run_dir", type=PathArgument(file_okay=False, path_type=Path))
def hub(run_dir: Path) -> int:
    """Serve a bus in RUN_DIR for workers that were started by other means.

    Receives their events, records them in RUN_DIR/run.vbus, samples this machine's GPUs, and lets any number of
    monitors attach, until it is interrupted. It prints the address that the workers need.

    \b
    Example:
      virnucpro-bus hub my-run &
      export VIRNUCPRO_BUS=...            # the line that it prints
      python my_workers.py &
      virnucpro-bus monitor my-run
    """
    with (
        SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as stopped,
        BusServer(run_dir, SystemClock()) as server,
    ):
        server.start_sampler()
        publish = shlex.quote(server.hub.addresses.publish)
        click.echo(f"export {ADDRESS_VARIABLE}={publish} {RUN_VARIABLE}={server.run}")
        # A line end in the folder's name would end the comment, and the shell run what comes after it.
        watch = visible(shlex.quote(str(run_dir)))
        click.echo(f"# the bus is up; watch it with: virnucpro-bus monitor {watch}")
        poller = zmq.Poller()
        for source in server.hub.sockets():
            poller.register(source, zmq.POLLIN)
        poller.register(stopped.fileno(), zmq.POLLIN)
        while not stopped.signal:
            poller.poll(1000)
            server.hub.poll()
            if notice := server.hub.capture.notice():
                say(notice)
        server.stop_sampler()
    events, refused = server.hub.accepted - server.hub.capture.unrecorded_frames, server.hub.refused.total()
    recorded = f"# {events} events recorded in {visible(str(run_dir / 'run.vbus'))}"
    click.echo(recorded + (f", {refused} refused" if refused else ""))
    compress_capture(run_dir / "run.vbus")
    return 0
