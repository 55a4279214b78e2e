"""How a worker finds its bus, and what it does where there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.buses import addresses_in, goodbye, hear, listening
from virnucpro_bus import events as ev
from virnucpro_bus.errors import AddressError
from virnucpro_bus.publish import joining, outbox
from virnucpro_bus.publish.joining import ADDRESS_VARIABLE, RUN_VARIABLE
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import BUS_FILE


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits the usual second for a hub."""
    monkeypatch.setattr(outbox, "FIRST_SUBSCRIBER_SECONDS", 0.01)
    monkeypatch.setattr(joining, "FIRST_SUBSCRIBER_SECONDS", 0.01)


def announce(folder: Path) -> str:
    """Write what a live hub of another machine would; the address at which it is published to."""
    addresses = addresses_in(folder, host="elsewhere")
    (folder / BUS_FILE).write_text(json.dumps(msgspec.to_builtins(addresses)))
    return addresses.publish


def call_everything(bus: Publisher) -> None:
    """Call every method of a publisher once."""
    bus.ready()
    bus.plan(["a.fa", "b.fa"])
    with bus.file("a.fa") as done:
        done.progress(1, total=2)
    for _ in bus.files(["b.fa"]):
        bus.current.sequences = 1
    bus.file_started("c.fa")
    bus.file_progress("c.fa", 1)
    bus.file_completed("c.fa", sequences=1, duration_seconds=1.0)
    bus.file_failed("d.fa", ValueError("bad"))
    bus.work_stolen(source=1, file="c.fa")
    bus.publish(ev.Notice("text"))
    bus.close()


@pytest.mark.parametrize("environment", [{}, {ADDRESS_VARIABLE: ""}], ids=["unset", "empty"])
def test_where_no_hub_is_named_every_call_does_nothing_and_says_nothing(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    bus = Publisher.connect(environment=environment)
    assert not bus.connected
    assert [each.name for each in threading.enumerate() if each.name == "bus-heartbeat"] == []
    call_everything(bus)
    assert capsys.readouterr().err == ""


NOBODY: dict[str, tuple[Callable[[Path], str | Path], str]] = {
    "an address without a hub": (lambda folder: f"ipc://{folder}/none", "no hub has answered, and "),
    "a folder that does not exist": (lambda folder: folder / "none", "no run is live here (no bus.json); "),
    "a folder that is a file": (lambda folder: __file__, "bus.json: cannot be read: Not a directory; "),
    "an address of no kind": (
        lambda folder: "carrier-pigeon://a",
        "Protocol not supported (addr='carrier-pigeon://a'); ",
    ),
    "a folder that no system has": (lambda folder: "my\0run", "embedded null byte; "),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("place", "problem"), NOBODY.values(), ids=NOBODY)
def test_where_a_hub_is_named_that_is_not_there_one_line_at_the_end_says_what_was_never_sent(
    tmp_path: Path, place: Callable[[Path], str | Path], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = Publisher.connect(place(tmp_path), environment={})
    assert not bus.connected
    assert capsys.readouterr().err == ""
    call_everything(bus)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{problem}16 events were never sent" in line
    with pytest.raises(AddressError):
        Publisher.connect(place(tmp_path), environment={}, strict=True)


def test_a_script_that_insists_on_a_bus_is_told_what_to_set() -> None:
    with pytest.raises(AddressError, match=f"no bus address: pass one, or set {ADDRESS_VARIABLE}"):
        Publisher.connect(environment={}, strict=True)


@pytest.mark.parametrize("form", [str, Path, lambda folder: str(folder).encode()], ids=["str", "Path", "bytes"])
def test_a_worker_joins_by_the_folder_of_the_run(tmp_path: Path, form: Callable[[Path], Any]) -> None:
    with listening(announce(tmp_path)) as listener:
        bus = Publisher.connect(form(tmp_path), environment={RUN_VARIABLE: "another"}, strict=True)
        assert bus.connected
        bus.close()
        assert hear(listener, goodbye)[0].run == "run-1"


def test_the_environment_may_name_the_folder_and_a_hub_that_is_slow_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker that was started beside its hub examines the folder first."""
    monkeypatch.setattr(joining, "sleep", lambda _: announce(tmp_path))
    with listening(addresses_in(tmp_path).publish) as listener:
        Publisher.connect(environment={ADDRESS_VARIABLE: str(tmp_path)}).close()
        assert len(hear(listener, goodbye)) >= 3


@pytest.mark.usefixtures("impatient")
def test_a_hub_that_starts_later_is_found_at_its_address(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/late"
    bus = Publisher.connect(address, environment={})
    bus.file_started("a.fa")
    with listening(address) as listener:
        hear(listener, lambda envelope: envelope.event == ev.FileStarted("cpu:0", "a.fa"))
        assert bus.connected
        bus.close()
