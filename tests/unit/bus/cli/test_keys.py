"""The `keys` commands as a user types them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from virnucpro_bus.cli import main as cli
from virnucpro_bus.remote.keys import load_identity

KEY = "5e" * 32


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "virnucpro-bus"


class Typed:
    """Runs a command line and keeps what came of it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as leaving:
            cli.main(["keys", *arguments])
        said = self._capsys.readouterr()
        return leaving.value.code, said.out, said.err


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(capsys)


def test_new_prints_the_public_key_and_the_next_commands(typed: Typed) -> None:
    status, out, err = typed("new")
    public = load_identity().public.hex()
    commands = [shlex.split(line) for line in out.splitlines() if line.startswith("  virnucpro-bus ")]
    assert (status, err) == (0, "")
    assert out.startswith(f"public key  {public}\n")
    assert [command[1:4] for command in commands] == [["keys", "allow", public], ["monitor", *commands[1][2:4]]]
    assert commands[1][-2:] == ["--server-key", public]


def test_the_secret_is_never_printed(typed: Typed) -> None:
    outputs = [typed("new"), typed("list"), typed("new"), typed("allow", KEY)]
    secret = load_identity().secret.hex()
    assert not any(secret in out + err for _, out, err in outputs)


def test_the_commands_that_new_prints_are_accepted(typed: Typed) -> None:
    _, out, _ = typed("new")
    allow = next(shlex.split(line)[2:] for line in out.splitlines() if " keys allow " in line)
    assert typed(*allow)[0] == 0


def test_a_second_new_is_one_line_and_status_2(typed: Typed) -> None:
    typed("new")
    status, out, err = typed("new")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "remove that file first" in err


def test_list_shows_ones_own_key_the_clients_and_where_they_are(typed: Typed, config: Path) -> None:
    assert typed("list") == (
        0,
        f"own key  none; create one with: virnucpro-bus keys new\nclients  0 ({config}/clients)\n",
        "",
    )
    typed("new")
    typed("allow", KEY, "laptop")
    status, out, _ = typed("list")
    assert status == 0
    assert out.splitlines() == [
        f"own key  {load_identity().public.hex()}  ({config}/identity.key)",
        f"clients  1 ({config}/clients)",
        f"  {KEY}  laptop",
    ]


def test_ones_own_key_can_be_allowed(typed: Typed) -> None:
    typed("new")
    own = load_identity().public.hex()
    assert typed("allow", own)[:2] == (0, f"{own[:8]} may watch ({own})\n")


def test_a_key_of_upper_case_is_the_same_key(typed: Typed) -> None:
    typed("allow", KEY.upper(), "laptop")
    assert f"  {KEY}  laptop\n" in typed("list")[1]
    assert typed("revoke", KEY.upper()) == (0, "laptop may no longer watch\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("allow", "abc"),
        ("allow", KEY, "a\nb"),
        ("allow", KEY, "\x1b[2J"),
        ("revoke", "nobody"),
        ("revoke", "\x1b[2J"),
        ("allow",),
        ("nonsense",),
    ],
)
def test_a_mistake_is_one_safe_line_and_status_2(typed: Typed, arguments: tuple[str, ...]) -> None:
    status, out, err = typed(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "\x1b" not in err


def test_list_reports_a_list_that_cannot_be_trusted(typed: Typed, config: Path) -> None:
    typed("allow", KEY, "laptop")
    (config / "clients").chmod(0o666)
    status, _, err = typed("list")
    assert status == 2
    assert f"chmod 600 {config}/clients" in err


def test_keys_alone_shows_its_help_and_is_status_2(typed: Typed) -> None:
    status, out, err = typed()
    assert (status, out) == (2, "")
    assert "virnucpro-bus keys new" in err


@pytest.mark.parametrize("command", ["new", "list", "allow", "revoke"])
def test_every_command_has_help_with_an_example(typed: Typed, command: str) -> None:
    status, out, _ = typed(command, "--help")
    assert status == 0
    assert f"virnucpro-bus keys {command}" in out.partition("Example")[2]
