"""The subcommands that need neither workers nor a screen: `hub` and `info`."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path

import click
import zmq

from virnucpro_bus.clock import SystemClock, iso_utc
from virnucpro_bus.compression import compress_capture
from virnucpro_bus.info import CaptureInfo, capture_info
from virnucpro_bus.options import Name
from virnucpro_bus.publisher import ADDRESS_VARIABLE, RUN_VARIABLE
from virnucpro_bus.serve import BusServer
from virnucpro_bus.signals import SignalFlag
from virnucpro_bus.text import visible


@click.command(short_help="Serve a bus for workers that were not started here.")
@click.argument("run_dir", type=Name(file_okay=False, path_type=Path))
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
            server.hub.turn()
            if notice := server.hub.capture.notice():
                click.echo(f"virnucpro-bus: {visible(notice)}", err=True)
        server.stop_sampler()
    events, refused = server.hub.accepted - server.hub.capture.unrecorded_frames, server.hub.refused.total()
    recorded = f"# {events} events recorded in {visible(str(run_dir / 'run.vbus'))}"
    click.echo(recorded + (f", {refused} refused" if refused else ""))
    compress_capture(run_dir / "run.vbus")
    return 0


@click.command(short_help="Tell what is in a capture.")
@click.argument("capture", type=Name(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(capture: Path, as_json: bool) -> None:
    """Tell what is in CAPTURE (a run.vbus file, or a run folder): runs, devices, events by kind, damage.

    \b
    Example:
      virnucpro-bus info my-run/run.vbus
    """
    found = capture_info(capture / "run.vbus" if capture.is_dir() else capture)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(_as_text(found))


def _as_text(found: CaptureInfo) -> str:
    started = "never" if found["started_ns"] is None else iso_utc(found["started_ns"])
    lines = [
        f"capture   {visible(found['path'])} ({found['size_bytes']} bytes)",
        f"runs      {', '.join(map(visible, found['runs'])) or 'none announced'}",
        f"hosts     {', '.join(map(visible, found['hosts'])) or 'none'}",
        f"devices   {', '.join(map(visible, found['devices'])) or 'none'}",
        f"started   {started}",
        f"duration  {found['duration_seconds']:.1f} s",
        f"events    {found['events']}",
        *(f"  {visible(kind):<20} {count}" for kind, count in found["events_by_kind"].items()),
    ]
    if found["damaged_places"] or found["skipped_bytes"] or found["refused_frames"]:
        lines.append(
            f"damage    {found['damaged_places']} places, {found['skipped_bytes']} bytes skipped, "
            f"{found['refused_frames']} records that are no events"
        )
    else:
        lines.append("damage    none")
    if found["holes"]:
        lines.append(f"holes     {found['holes']}, {found['unrecorded_frames']} events were not recorded")
    return "\n".join(lines)
