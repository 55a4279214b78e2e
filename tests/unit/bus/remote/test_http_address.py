"""Where a live page may be served, and with which token."""

from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError
from virnucpro_bus.remote.http_address import parse_http


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9101", "127.0.0.1:9101"),
        ("0", "127.0.0.1:0"),
        ("localhost:9101", "127.0.0.1:9101"),
        ("127.0.0.2:1", "127.0.0.2:1"),
        ("[::1]:9101", "[::1]:9101"),
        ("unix:page.sock", "unix:page.sock"),
        ("unix:/run/a:b", "unix:/run/a:b"),
    ],
)
def test_a_port_a_host_with_a_port_and_a_path_are_addresses(text: str, address: str) -> None:
    listen = parse_http(text)
    assert str(listen.address) == address
    assert listen.address.is_private
    assert listen.options() == ["--http", address]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not an address"),
        ("http://localhost:9101", "is not an address"),
        ("localhost", "is not an address"),
        (":9101", "is not an address"),
        ("65536", "65536 is not a port"),
        ("node7:9101", "node7 is not an IP address"),
        ("[localhost:9101", "is not an address"),
        ("\x1b[2J:1", "is not an address"),
        ("unix:", "the path is missing"),
        (f"unix:/{'x' * 107}", "longer than 107 bytes"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        parse_http(text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", ["0.0.0.0:9101", "*:9101", "10.0.0.1:9101", "[::]:9101", "[::ffff:10.0.0.1]:0"])
def test_an_address_of_other_machines_needs_a_token_that_its_user_keeps(text: str, token_file: Path) -> None:
    with pytest.raises(UserError, match="needs --http-token-file FILE"):
        parse_http(text)
    listen = parse_http(text, token_file)
    assert listen.token() == "0123456789abcdef"
    assert listen.options()[2:] == ["--http-token-file", str(token_file)]


def test_a_new_token_is_another_one_each_time() -> None:
    listen = parse_http("9101")
    assert len({listen.token() for _ in range(100)}) == 100
    assert len(listen.token()) >= 24


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_token_that_others_may_read_or_change_is_refused(token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(UserError, match=r"other users may .*chmod 600"):
        parse_http("9101", token_file)


@pytest.mark.parametrize(
    "text", ["", "short", "with a space in it 123", "semicolon;0123456789", "x" * 257, "ü" * 20]
)
def test_what_is_no_token_is_refused_with_how_to_make_one(token_file: Path, text: str) -> None:
    token_file.write_text(text)
    with pytest.raises(UserError, match=r"is not a token.*openssl rand -hex 24"):
        parse_http("9101", token_file)


def test_a_token_file_that_is_missing_is_reported_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist; create one with: \(umask 077; openssl rand"):
        parse_http("9101", tmp_path / "token")
