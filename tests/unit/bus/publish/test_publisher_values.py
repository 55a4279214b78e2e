"""Which values a publisher accepts, and how it finds the bus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.buses import Heard, goodbye, hear, listening
from virnucpro_bus import events as ev
from virnucpro_bus.errors import AddressError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import ADDRESS_VARIABLE, RUN_VARIABLE, Publisher


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/publish"


@pytest.fixture
def listener(address: str) -> Iterator[Heard]:
    with listening(address) as bound:
        yield bound


def quiet(address: str) -> Publisher:
    """A publisher of cpu:0 without heartbeats."""
    return Publisher(address, device=Device("cpu:0"), heartbeat_seconds=None)


class Integer:
    """An integer type of another library, such as numpy's."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __int__(self) -> int:
        return self._value

    def __index__(self) -> int:
        return self._value

    def __str__(self) -> str:
        return str(self._value)


WRONG_CALLS = {
    "negative sequences": lambda bus: bus.file_completed("a", sequences=-1, duration_seconds=1.0),
    "too many sequences": lambda bus: bus.file_completed("a", sequences=2**63, duration_seconds=1.0),
    "negative duration": lambda bus: bus.file_completed("a", sequences=1, duration_seconds=-0.1),
    "NaN duration": lambda bus: bus.file_completed("a", sequences=1, duration_seconds=float("nan")),
    "infinite duration": lambda bus: bus.file_failed("a", "bad", duration_seconds=float("inf")),
    "negative progress": lambda bus: bus.file_progress("a", -1),
    "negative attempt at start": lambda bus: bus.file_started("a", attempt=-1),
    "negative attempt in progress": lambda bus: bus.file_progress("a", 1, attempt=-1),
    "negative attempt at the end": lambda bus: bus.completion("a", sequences=1, duration_seconds=1, attempt=-1),
    "negative attempt at failure": lambda bus: bus.file_failed("a", "bad", attempt=-1),
    "negative attempt at a steal": lambda bus: bus.work_stolen(source=1, file="a", attempt=-1),
    "a steal before 1970": lambda bus: bus.work_stolen(source=1, file="a", stolen_at_ns=-1),
}


@pytest.mark.parametrize("call", WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_number_that_cannot_be_right_is_refused_and_uses_up_no_number(
    listener: Heard, address: str, call: Any
) -> None:
    with quiet(address) as bus, pytest.raises(ValueError, match="must be"):
        call(bus)
    assert [envelope.seq for envelope in hear(listener, goodbye)] == [1, 2, 3]


def test_numbers_of_other_libraries_are_accepted(listener: Heard, address: str) -> None:
    with quiet(address) as bus:
        number: Any = Integer(7)
        bus.file_started("a", attempt=number)
        bus.file_progress("a", number, attempt=number)
        bus.file_completed("a", sequences=number, duration_seconds=number, attempt=number)
        bus.work_stolen(source=number, file="a", attempt=number, stolen_at_ns=number)
    assert [envelope.event for envelope in hear(listener, goodbye)][1:5] == [
        ev.FileStarted("cpu:0", "a", 7),
        ev.FileProgress("cpu:0", "a", 7, 7),
        ev.FileCompleted("cpu:0", "a", 7, 7, 7.0),
        ev.WorkStolen("cpu:0", "cuda:7", "a", 7, 7),
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (Path("/data/deep/a.fa"), "a.fa"),
        (os.fsdecode(b"/data/\xff\xfe.fa"), r"\udcff\udcfe.fa"),
        ("ü" * 1_200 + ".fa", "ü" * 997 + ".fa"),
        ("\x1b[2J=cmd|\n.fa", "\x1b[2J=cmd|\n.fa"),
    ],
    ids=["path", "not UTF-8", "long", "hostile"],
)
def test_any_file_name_can_be_sent(listener: Heard, address: str, file: str | Path, name: str) -> None:
    with quiet(address) as bus:
        bus.file_started(file)
    assert hear(listener, goodbye)[1].event.file == name


@pytest.mark.parametrize("name", ["x" * 3_000, os.fsdecode(b"\xff") * 100], ids=["long", "not UTF-8"])
def test_whatever_a_device_a_source_and_a_run_are_called_their_events_can_be_read(
    listener: Heard, address: str, name: str
) -> None:
    device, seen = Device(name, name), name.encode(errors="backslashreplace").decode()[:256]
    with Publisher(address, device=device, source=name, run=name, heartbeat_seconds=None) as bus:
        bus.work_stolen(source=name, file="a")
    first, stolen, *_ = hear(listener, goodbye)
    assert first.event.device == Device(seen, seen)
    assert (stolen.source, stolen.run) == (seen, seen)
    assert (stolen.event.thief, stolen.event.victim) == (seen, seen)


def test_any_reason_can_be_sent(listener: Heard, address: str) -> None:
    reason = os.fsdecode(b"no such file: \xff.fa ") + "x" * 5_000
    with quiet(address) as bus:
        bus.file_failed("a.fa", reason)
        bus.close(reason)
    heard = hear(listener, goodbye)
    assert heard[1].event.reason == heard[-1].event.reason
    assert heard[1].event.reason.startswith(r"no such file: \udcff.fa xxx")


# Where the bus is and which device this is.


@pytest.mark.parametrize(
    ("device", "environment", "key"),
    [
        (None, {}, "cpu:0"),
        (None, {"CUDA_VISIBLE_DEVICES": "GPU-7"}, "GPU-7"),
        (1, {"CUDA_VISIBLE_DEVICES": "GPU-7"}, "cuda:1"),
        ("MIG-3", {}, "MIG-3"),
    ],
)
def test_a_worker_joins_by_its_environment(
    listener: Heard, address: str, device: Any, environment: dict[str, str], key: str
) -> None:
    joined = environment | {ADDRESS_VARIABLE: address, RUN_VARIABLE: "run-9"}
    Publisher.connect(device=device, environment=joined).close()
    first = hear(listener, goodbye)[0]
    assert (first.run, first.source, first.event.device.key) == ("run-9", f"pid-{os.getpid()}", key)


def test_an_address_that_is_given_goes_before_that_of_the_environment(listener: Heard, address: str) -> None:
    Publisher.connect(address, environment={ADDRESS_VARIABLE: "nonsense"}).close()
    assert len(hear(listener, goodbye)) >= 3


@pytest.mark.parametrize("environment", [{}, {ADDRESS_VARIABLE: ""}])
def test_without_any_address_the_error_names_what_to_set(environment: dict[str, str]) -> None:
    with pytest.raises(AddressError, match=f"no bus address: pass one, or set {ADDRESS_VARIABLE}"):
        Publisher.connect(environment=environment)
