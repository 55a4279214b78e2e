"""Where a relay may listen, and with which keys: open to other machines only with keys and a list of clients."""

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
_ANY = {"*": "0.0.0.0", "localhost": "127.0.0.1"}  # noqa: S104 - what the user asks for by "*"


@dataclass(frozen=True)
class ListenAddress:
    """An address to listen at. `port` 0 takes a free one."""

    host: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int

    @property
    def url(self) -> str:
        """As it is bound."""
        return f"tcp://{self._bracketed(str(self.host))}:{self.port or '*'}"

    def seen_from_outside(self, port: int) -> str:
        """As a viewer writes it, with the port that was bound."""
        host = socket.gethostname() if self.host.is_unspecified else str(self.host)
        return f"tcp://{self._bracketed(host)}:{port}"

    @staticmethod
    def _bracketed(host: str) -> str:
        return f"[{host}]" if ":" in host else host


def parse_listen(text: str) -> ListenAddress:
    """`tcp://HOST:PORT`, HOST an IP address of this machine, "*" for all or "localhost". Raises AddressError."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise AddressError(f"{visible(text)}: is not an address to listen at; write tcp://127.0.0.1:5599")
    name = found["ipv6"] or found["host"]
    try:
        host = ipaddress.ip_address(_ANY.get(name, name))
    except ValueError:
        raise AddressError(
            f"{visible(text)}: {visible(name)} is not an IP address; write one of this machine, or * for all"
        ) from None
    port = 0 if found["port"] == "*" else int(found["port"])
    if port > 65_535:
        raise AddressError(f"{visible(text)}: there is no port {port}; the highest is 65535")
    return ListenAddress(host, port)


def access_for(address: ListenAddress) -> Access | None:
    """Who may come in at `address`: None, whoever can reach it, on this machine alone.

    Raises UserError where other machines could reach it and there are no keys, or no clients.
    """
    if address.host.is_loopback:
        return None
    clients = ClientList()
    try:
        identity = load_identity()
    except UserError as error:
        raise _without_keys(address, str(error)) from None
    if not clients.current():
        raise _without_keys(address, clients.problem or f"{clients.path}: names no client yet")
    return Access(identity, clients.current)


def _without_keys(address: ListenAddress, why: str) -> UserError:
    port = address.port or 5599
    return UserError(
        f"{address.url} can be reached from other machines, so it needs keys: {why} (and for each who may "
        f"watch: virnucpro-bus keys allow KEY). Or listen at tcp://127.0.0.1:{port} and watch through a tunnel: "
        f"ssh -N -L {port}:127.0.0.1:{port} {socket.gethostname()}"
    )


@dataclass(frozen=True)
class Access:
    """Who may watch: the relay's own key pair, and the public keys of clients as of now."""

    identity: Identity
    allowed: Callable[[], Mapping[bytes, str]]
