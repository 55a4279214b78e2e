"""The `hub` subcommand: serves a bus for workers that other programs start."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import click
import zmq

from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.cli.options import PathArgument, http_listen, http_options
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.publish.publisher import ADDRESS_VARIABLE, RUN_VARIABLE
from virnucpro_bus.remote.http_address import HttpListen
from virnucpro_bus.system.child_process import self_command, stop
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag
from virnucpro_bus.text import visible


@click.command(short_help="Serve a bus for workers that other programs start.")
@click.argument("run_dir", type=PathArgument(file_okay=False, path_type=Path))
@http_options
def hub(run_dir: Path, http: str | None, http_token_file: Path | None) -> int:
    """Serve a bus in RUN_DIR for workers that other programs start.

    Records their events in RUN_DIR/run.vbus, samples this machine's GPUs, and serves any number of monitors, until
    you interrupt it. Prints the address that the workers need. After a hub that was killed, start it again in the
    same folder: it continues the capture, and the workers find it by themselves.

    \b
    Example:
      virnucpro-bus hub my-run &
      export VIRNUCPRO_BUS=...            # the line that hub prints
      python my_workers.py &
      virnucpro-bus monitor my-run
    """
    listen = http_listen(http, http_token_file)
    made = BusServer(run_dir, SystemClock())
    is_resumed = made.resume_killed_hub()
    with SignalFlag(*ENDING_SIGNALS) as signals, made as server:
        try:
            server.start_sampler()
        except OSError as error:
            say(f"there are no GPU figures, because the sampler cannot be started: {error.strerror}")
        publish = shlex.quote(server.hub.addresses.publish)
        click.echo(f"export {ADDRESS_VARIABLE}={publish} {RUN_VARIABLE}={server.run}")
        # A line end in the folder's name would end the comment, and the shell would run what follows.
        folder = visible(shlex.quote(str(run_dir)))
        if is_resumed:
            click.echo("# the last hub here was killed: its capture is continued")
        click.echo(f"# the bus is up; watch it with: virnucpro-bus monitor {folder}")
        page = None if listen is None else _serve_page(run_dir, listen)
        poller = zmq.Poller()
        for socket in server.hub.sockets():
            poller.register(socket, zmq.POLLIN)
        poller.register(signals.fileno(), zmq.POLLIN)
        while not signals.signal:
            poller.poll(1000)
            server.hub.poll()
            if notice := server.hub.capture.notice():
                say(notice)
            if page is not None and page.poll() is not None:
                page = None
                say("the live page has ended, but the bus continues")
        if page is not None:
            stop(page)
        server.stop_sampler()
    events, refused = server.hub.accepted - server.hub.capture.unrecorded_frames, server.hub.refused.total()
    recorded = f"# {events} events recorded in {visible(str(run_dir / 'run.vbus'))}"
    click.echo(recorded + (f", {refused} refused" if refused else ""))
    compress_capture(run_dir / "run.vbus")
    return 0


def _serve_page(run_dir: Path, listen: HttpListen) -> subprocess.Popen[bytes] | None:
    """Start the monitor that serves a live page, and prints where; None where it cannot be started."""
    command = self_command("monitor", str(run_dir), "--no-dashboard", *listen.options())
    try:
        # A group of its own: Ctrl-C is for us. Our standard output is for the line that a shell evaluates.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0)
    except OSError as error:
        say(f"there is no live page, because the monitor cannot be started: {error.strerror}")
        return None
