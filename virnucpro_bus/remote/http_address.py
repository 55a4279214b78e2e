"""Where the live page may be served over HTTP: on this machine, or beyond it with a token that the user keeps."""

from __future__ import annotations

import os
import re
import secrets
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.files.private_files import OTHERS_AT_ALL, read_private
from virnucpro_bus.remote.listen_address import bracketed, parse_host, parse_port
from virnucpro_bus.text import visible

_TCP = re.compile(r"(?:(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:\[\]/]+)):)?(?P<port>[0-9]{1,5})")
_UNIX = "unix:"
_MAX_PATH_BYTES = 107
"""The kernel's limit of a local socket's path."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,256}")
"""What a bearer token consists of (RFC 6750), long enough that nobody guesses it."""
_TOKEN_BYTES = 18


@dataclass(frozen=True)
class TcpAddress:
    """An address and a port of this machine. `port` 0 takes a free port."""

    host: IPv4Address | IPv6Address
    port: int

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.is_loopback

    def __str__(self) -> str:
        return f"{bracketed(str(self.host))}:{self.port}"


@dataclass(frozen=True)
class UnixAddress:
    """The path of a local socket, which only its owner can reach."""

    path: Path
    is_private = True

    def __str__(self) -> str:
        return f"{_UNIX}{self.path}"


HttpAddress = TcpAddress | UnixAddress


@dataclass(frozen=True)
class HttpListen:
    """What the options --http and --http-token-file say."""

    address: HttpAddress
    token_file: Path | None = None

    def options(self) -> list[str]:
        """Return the same options, for the command line of a child process."""
        token = [] if self.token_file is None else ["--http-token-file", str(self.token_file)]
        return ["--http", str(self.address), *token]

    def token(self) -> str:
        """Return the token of the file, or else a new one that nobody can guess.

        Raises UserError when other machines can reach the address and there is no file, or it cannot be used.
        """
        if self.token_file is not None:
            return _read_token(self.token_file)
        if not self.address.is_private:
            raise _token_missing(self.address)
        return secrets.token_urlsafe(_TOKEN_BYTES)


def parse_http(text: str, token_file: Path | None = None) -> HttpListen:
    """Parse `[HOST:]PORT` or `unix:PATH`. Raises UserError, also for a token file that cannot be used.

    HOST is an IP address of this machine, "*" for all of them, or "localhost", which is the default; PORT 0 is a
    free port.
    """
    listen = HttpListen(_parse_unix(text) if text.startswith(_UNIX) else _parse_tcp(text), token_file)
    listen.token()
    return listen


def _parse_tcp(text: str) -> TcpAddress:
    found = _TCP.fullmatch(text)
    if found is None:
        raise AddressError(
            f"{visible(text)}: is not an address to serve a page at: expected PORT, HOST:PORT or unix:PATH, "
            "for example 9101"
        )
    return TcpAddress(
        parse_host(found["ipv6"] or found["host"] or "localhost", text), parse_port(found["port"], text)
    )


def _parse_unix(text: str) -> UnixAddress:
    path = text.removeprefix(_UNIX)
    if not path or "\0" in path:
        raise AddressError(f"{visible(text)}: the path is missing: expected unix:PATH")
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise AddressError(f"{visible(text)}: the path is longer than {_MAX_PATH_BYTES} bytes; give a shorter one")
    return UnixAddress(Path(path))


def _read_token(path: Path) -> str:
    try:
        token = read_private(path, OTHERS_AT_ALL).strip()
    except FileNotFoundError:
        raise UserError(f"{path}: does not exist; {_how_to_make_one(path)}") from None
    if not _TOKEN.fullmatch(token):
        raise UserError(
            f"{path}: is not a token: expected 16 to 256 letters, digits or ._~+/=-; {_how_to_make_one(path)}"
        )
    return token


def _token_missing(address: HttpAddress) -> UserError:
    port = getattr(address, "port", 0) or "PORT"
    return UserError(
        f"{address}: other machines can reach this address, so it needs --http-token-file FILE; "
        f"{_how_to_make_one('FILE')}. Or serve at {port} alone and open it through a tunnel: "
        f"ssh -N -L {port}:127.0.0.1:{port} {socket.gethostname()}"
    )


def _how_to_make_one(path: object) -> str:
    return f"create one with: (umask 077; openssl rand -hex 24 > {path})"
