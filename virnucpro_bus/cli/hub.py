"""The `hub` subcommand: serves a bus for workers that other programs start."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from virnucpro_bus.cli.options import PathArgument, check_listen, http_listen, http_options, listen_option
from virnucpro_bus.clock import NANOSECONDS, AttendedClock, SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.system.child_process import self_command, stop
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag
from virnucpro_bus.text import visible

if TYPE_CHECKING:
    from virnucpro_bus.hub.bus_server import BusServer
    from virnucpro_bus.hub.past_hub import PastHub
    from virnucpro_bus.remote.http_address import HttpListen
    from virnucpro_bus.remote.relay_process import RelayProcess

POLL_MS = 1000


@click.command
@click.argument("run_dir", type=PathArgument(file_okay=False, path_type=Path))
@click.option("--resume", is_flag=True,
              help="Continue the capture of the last hub in RUN_DIR, at the same address: workers that still run "
              "find it.")  # fmt: skip
@listen_option
@http_options
def hub(run_dir: Path, resume: bool, listen: str | None, http: str | None, http_token_file: Path | None) -> int:
    """Serve a bus in RUN_DIR for workers that other programs start.

    Records their events in RUN_DIR/run.vbus, samples this machine's GPUs, and serves any number of monitors, until
    you interrupt it. Prints the address that the workers need. In a folder whose last hub was killed, it continues
    that one's capture; where the last hub has ended, --resume does the same.

    \b
    Examples:
      virnucpro-bus hub my-run &
      export VIRNUCPRO_BUS=...            # the line that hub prints
      python my_workers.py &
      virnucpro-bus monitor my-run
      virnucpro-bus hub my-run --resume --listen tcp://127.0.0.1:5599
    """
    from virnucpro_bus.capture.compression import compress_capture
    from virnucpro_bus.hub.bus_server import BusServer
    from virnucpro_bus.publish.joining import ADDRESS_VARIABLE, RUN_VARIABLE
    from virnucpro_bus.remote.relay_process import DELIVERY_SECONDS, RelayProcess

    page_listen = http_listen(http, http_token_file)
    check_listen(listen)
    clock = SystemClock()
    bus = BusServer(run_dir, clock)
    past = bus.resume_hub(ended=resume)
    # A line end in the folder's name would end the comment, and the shell would run what follows.
    folder = visible(shlex.quote(str(run_dir)))
    with SignalFlag(*ENDING_SIGNALS) as signals, bus as server:
        relay = RelayProcess(AttendedClock(clock), say)
        notes = [] if past is None else [f"the last hub here {_ending(past)}: its capture is continued"]
        notes.append(f"the bus is up; watch it with: virnucpro-bus monitor {folder}")
        if listen is not None:
            try:
                notes.append(visible(relay.start(run_dir, listen)))
            except AddressError:
                if past is None:
                    server.remove_capture()
                raise
        try:
            server.start_sampler()
        except OSError as error:
            say(f"there are no GPU figures, because the sampler cannot be started: {error.strerror}")
        publish = shlex.quote(server.hub.addresses.publish)
        click.echo(f"export {ADDRESS_VARIABLE}={publish} {RUN_VARIABLE}={shlex.quote(server.run)}")
        for note in notes:
            click.echo(f"# {note}")
        page = None if page_listen is None else _serve_page(run_dir, page_listen)
        _serve(server, signals, relay, page)
        if page is not None:
            stop(page)
        server.stop_sampler()
        server.hub.finish()
        deadline_ns = clock.mono_ns() + int(DELIVERY_SECONDS * NANOSECONDS)
        relay.stop(lambda: signals.count > 1 or clock.mono_ns() > deadline_ns)
    events, refused = server.hub.accepted - server.hub.capture.unrecorded_frames, server.hub.refused.total()
    recorded = f"# {events} events recorded in {visible(str(run_dir / 'run.vbus'))}"
    click.echo(recorded + (f", {refused} refused" if refused else ""))
    click.echo(f"# to continue: virnucpro-bus hub {folder} --resume")
    compress_capture(run_dir / "run.vbus")
    return 0


def _ending(past: PastHub) -> str:
    return "was killed" if past.was_killed else "has ended"


def _serve(
    server: BusServer, signals: SignalFlag, relay: RelayProcess, page: subprocess.Popen[bytes] | None
) -> None:
    """Serve the bus until a signal arrives."""
    import zmq

    poller = zmq.Poller()
    for socket in server.hub.sockets():
        poller.register(socket, zmq.POLLIN)
    poller.register(signals.fileno(), zmq.POLLIN)
    while not signals.signal:
        server.hub.poll(dict(poller.poll(POLL_MS)))
        relay.poll()
        if notice := server.hub.capture.notice():
            say(notice)
        if page is not None and page.poll() is not None:
            page = None
            say("the live page has ended, but the bus continues")


def _serve_page(run_dir: Path, listen: HttpListen) -> subprocess.Popen[bytes] | None:
    """Start the monitor that serves a live page, and prints where; None where it cannot be started."""
    command = self_command("monitor", str(run_dir), "--no-dashboard", *listen.options())
    try:
        # A group of its own: Ctrl-C is for us. Our standard output is for the line that a shell evaluates.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0)
    except OSError as error:
        say(f"there is no live page, because the monitor cannot be started: {error.strerror}")
        return None
