"""Where a relay may listen and which clients it admits: beyond this machine only with keys and a client list."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.remote.keys import ClientList, Identity, load_identity
from virnucpro_bus.text import visible

_ADDRESS = re.compile(r"tcp://(\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]/]+)):(?P<port>\d{1,5}|\*)")
_NAMES = {"*": "0.0.0.0", "localhost": "127.0.0.1"}  # noqa: S104 - what the user asks for by "*"
_MAX_PORT = 65_535
_EXAMPLE_PORT = 5599


@dataclass(frozen=True)
class ListenAddress:
    """A TCP address on which a relay listens. `port` 0 takes a free port."""

    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @property
    def url(self) -> str:
        """The address as zmq binds it."""
        return f"tcp://{bracketed(str(self.host))}:{self.port or '*'}"

    def seen_from_outside(self, port: int) -> str:
        """Return the address that a viewer connects to, with the port that was bound."""
        host = socket.gethostname() if self.host.is_unspecified else str(self.host)
        return f"tcp://{bracketed(host)}:{port}"


@dataclass(frozen=True)
class Access:
    """The relay's own key pair, and the clients that may connect."""

    identity: Identity
    allowed: Callable[[], Mapping[bytes, str]]
    """Returns the clients' names by public key, as of now."""


def parse_listen(text: str) -> ListenAddress:
    """Parse `tcp://HOST:PORT`. Raises AddressError.

    HOST is an IP address of this machine, "*" for all of them, or "localhost"; PORT "*" is a free port.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise AddressError(f"{visible(text)}: is not an address to listen on: expected tcp://127.0.0.1:5599")
    host = parse_host(found["ipv6"] or found["host"], text)
    port = 0 if found["port"] == "*" else parse_port(found["port"], text)
    return ListenAddress(host, port)


def parse_host(name: str, text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IP address that `name` is or stands for. Raises AddressError, which names the whole `text`."""
    try:
        return ipaddress.ip_address(_NAMES.get(name, name))
    except ValueError:
        raise AddressError(
            f"{visible(text)}: {visible(name)} is not an IP address; give one of this machine, or * for all"
        ) from None


def parse_port(digits: str, text: str) -> int:
    """Return the number of a port. Raises AddressError, which names the whole `text`."""
    port = int(digits)
    if port > _MAX_PORT:
        raise AddressError(f"{visible(text)}: {port} is not a port; give one up to {_MAX_PORT}")
    return port


def access_for(address: ListenAddress) -> Access | None:
    """Return what decides which clients may connect to `address`; None on a loopback address, which needs no keys.

    Raises UserError where other machines can reach the address and there are no keys or no clients.
    """
    if address.host.is_loopback:
        return None
    clients = ClientList()
    try:
        identity = load_identity()
    except UserError as error:
        raise _keys_missing(address, str(error)) from None
    if not clients.current():
        raise _keys_missing(address, clients.problem or f"{clients.path}: contains no client")
    return Access(identity, clients.current)


def _keys_missing(address: ListenAddress, reason: str) -> UserError:
    port = address.port or _EXAMPLE_PORT
    return UserError(
        f"{address.url}: other machines can reach this address, so it needs keys: {reason} (and for each client: "
        f"virnucpro-bus keys allow KEY). Or listen on tcp://127.0.0.1:{port} and watch through a tunnel: "
        f"ssh -N -L {port}:127.0.0.1:{port} {socket.gethostname()}"
    )


def bracketed(host: str) -> str:
    """Return an IP address as it stands before a port."""
    return f"[{host}]" if ":" in host else host
