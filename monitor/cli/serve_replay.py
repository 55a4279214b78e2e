"""Serving a recorded run over TCP: any monitor can watch it as if it were live."""

from __future__ import annotations

import secrets
import socket

import click

from virnucpro_bus.clock import Clock
from virnucpro_bus.history.protocol import HelloReply
from virnucpro_bus.remote.feeds import PlayedCapture
from virnucpro_bus.remote.listen_address import parse_listen
from virnucpro_bus.remote.serve import open_relay, serve
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag


def serve_replay(replay: Replay, address: str, clock: Clock) -> int:
    """Serve `replay` at `address` until a signal ends it, also after the replay's end. Returns the exit status.

    Raises UserError when it cannot listen there.
    """
    played = PlayedCapture()
    hello = HelloReply(f"replay-{secrets.token_hex(4)}", socket.gethostname(), "")

    def play() -> bool:
        while not replay.ended:
            frames, received_ns = replay.receive(0.0)
            played.append(frames, received_ns)
            if not replay.catching_up:
                break
        return False

    with SignalFlag(*ENDING_SIGNALS) as signals:
        relay = open_relay(parse_listen(address), played, hello, clock)
        click.echo("# still served after its end; press Ctrl-C to stop")
        try:
            serve(relay, signals, clock, play)
        finally:
            relay.close()
            played.close()
    return 128 + signals.signal
