"""Which values a publisher accepts, and how it finds the bus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.buses import Heard, goodbye, hear, listening
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.joining import ADDRESS_VARIABLE, RUN_VARIABLE
from virnucpro_bus.publish.publisher import Publisher


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


class Unprintable(Exception):
    """An exception of a user whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


WRONG_CALLS = {
    "negative sequences": lambda bus: bus.file_completed("a", sequences=-1, duration_seconds=1.0),
    "too many sequences": lambda bus: bus.file_completed("a", sequences=2**63, duration_seconds=1.0),
    "NaN sequences": lambda bus: bus.file_completed("a", sequences=float("nan"), duration_seconds=1.0),
    "half a sequence": lambda bus: bus.file_completed("a", sequences=1.5, duration_seconds=1.0),
    "a text as sequences": lambda bus: bus.file_completed("a", sequences="3", duration_seconds=1.0),
    "True as sequences": lambda bus: bus.file_completed("a", sequences=True, duration_seconds=1.0),
    "a number in a text as duration": lambda bus: bus.file_failed("a", "bad", duration_seconds="3"),
    "no sequences": lambda bus: bus.file_completed("a", sequences=None, duration_seconds=1.0),
    "NaN duration": lambda bus: bus.file_completed("a", sequences=1, duration_seconds=float("nan")),
    "infinite duration": lambda bus: bus.file_failed("a", "bad", duration_seconds=float("inf")),
    "a text as duration": lambda bus: bus.file_completed("a", sequences=1, duration_seconds="long"),
    "negative progress": lambda bus: bus.file_progress("a", -1),
    "a list as progress": lambda bus: bus.file_progress("a", [1]),
    "negative attempt at start": lambda bus: bus.file_started("a", attempt=-1),
    "negative attempt in progress": lambda bus: bus.file_progress("a", 1, attempt=-1),
    "negative attempt at failure": lambda bus: bus.file_failed("a", "bad", attempt=-1),
    "negative attempt at a steal": lambda bus: bus.work_stolen(source=1, file="a", attempt=-1),
    "a steal before 1970": lambda bus: bus.work_stolen(source=1, file="a", stolen_at_ns=-1),
    "a steal from nowhere": lambda bus: bus.work_stolen(source=None, file="a"),
    "a steal from a negative ordinal": lambda bus: bus.work_stolen(source=-1, file="a"),
    "a steal from half an ordinal": lambda bus: bus.work_stolen(source=1.5, file="a"),
    "a steal from True": lambda bus: bus.work_stolen(source=True, file="a"),
    "a steal from a device without a name": lambda bus: bus.work_stolen(source="", file="a"),
    "no file": lambda bus: bus.file_started(None),
    "a number as file": lambda bus: bus.file_failed(7, "bad"),
    "not an event": lambda bus: bus.publish("file done"),
}


@pytest.mark.parametrize("call", WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_an_event_that_cannot_be_right_is_dropped_and_counted_and_uses_up_no_number(
    listener: Heard, address: str, call: Any
) -> None:
    with quiet(address) as bus:
        call(bus)
    heard = hear(listener, goodbye)
    assert [envelope.seq for envelope in heard] == [1, 2, 3]
    assert heard[1].event == ev.Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 1)


def test_the_first_event_that_is_dropped_is_reported_in_one_line(
    listener: Heard, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with quiet(address) as bus:
        for sequences in (-1, -2, -3):
            bus.file_completed("a", sequences=sequences, duration_seconds=1.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("virnucpro-bus: file_completed: sequences: must be a count from 0 to ")
    assert "not -1; the event is dropped" in line
    assert hear(listener, goodbye)[1].event.events_dropped == 3


@pytest.mark.parametrize("text", ["\udcff", 2**64], ids=["not UTF-8", "too large"])
def test_an_event_that_cannot_be_encoded_is_dropped_and_the_next_one_arrives(
    listener: Heard, address: str, text: Any
) -> None:
    with quiet(address) as bus:
        bus.publish(ev.Notice(text))
        bus.publish(ev.Notice("next"))
    heard = hear(listener, goodbye)
    assert [envelope.event for envelope in heard[1:3]] == [
        ev.Notice("next"),
        ev.Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 1),
    ]
    assert heard[-1].seq - len(heard) == 1  # its number shows the loss


def test_a_completion_that_is_to_be_acknowledged_is_refused_where_it_is_made(
    listener: Heard, address: str
) -> None:
    with quiet(address) as bus, pytest.raises(ValueError, match="sequences: must be a count"):
        bus.completion("a", sequences=-1, duration_seconds=1.0)


def test_a_clock_that_is_set_back_makes_a_duration_of_0(listener: Heard, address: str) -> None:
    with quiet(address) as bus:
        bus.file_completed("a", sequences=1, duration_seconds=-0.001)
        bus.file_failed("b", "bad", duration_seconds=-3600)
    assert [envelope.event.duration_seconds for envelope in hear(listener, goodbye)[1:3]] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        (ValueError("bad record"), "ValueError: bad record"),
        (KeyError("x"), "KeyError: 'x'"),
        (MemoryError(), "MemoryError"),
        (Unprintable(), "Unprintable: Unprintable"),
        (None, "unknown"),
        (7, "7"),
    ],
    ids=repr,
)
def test_whatever_went_wrong_can_be_the_reason(listener: Heard, address: str, reason: Any, seen: str) -> None:
    with quiet(address) as bus:
        bus.file_failed("a", reason)
        bus.close(reason)
    heard = hear(listener, goodbye)
    assert (heard[1].event.reason, heard[-1].event.reason) == (seen, seen)


class TorchDevice:
    """Looks like a torch.device, without torch."""

    __module__ = "torch"

    def __str__(self) -> str:
        return "cuda:3"


@pytest.mark.parametrize(
    ("source", "victim"),
    [
        *((3, "cpu:3"), ("3", "cpu:3"), (Integer(3), "cpu:3")),
        *(("cuda:3", "cuda:3"), (Device("cuda:3"), "cuda:3"), (TorchDevice(), "cuda:3")),
    ],
)
def test_a_device_can_be_named_in_any_way(listener: Heard, address: str, source: Any, victim: str) -> None:
    with quiet(address) as bus:
        bus.work_stolen(source=source, file="a")
    assert hear(listener, goodbye)[1].event.victim == victim


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
        ev.WorkStolen("cpu:0", "cpu:7", "a", 7, 7),
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (Path("/data/deep/a.fa"), "a.fa"),
        (b"/data/deep/\xff.fa", r"\udcff.fa"),
        (os.fsdecode(b"/data/\xff\xfe.fa"), r"\udcff\udcfe.fa"),
        ("ü" * 1_200 + ".fa", "ü" * 997 + ".fa"),
        ("\x1b[2J=cmd|\n.fa", "\x1b[2J=cmd|\n.fa"),
    ],
    ids=["path", "bytes", "not UTF-8", "long", "hostile"],
)
def test_any_file_name_can_be_sent(listener: Heard, address: str, file: Any, name: str) -> None:
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
        (Device("GPU-8", "A100"), {"CUDA_VISIBLE_DEVICES": "GPU-7"}, "GPU-8"),
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


@pytest.mark.parametrize("device", [-1, 1.5, True, "", ["GPU-7"], Device(""), Device("GPU-7", index=-1)], ids=repr)
def test_a_device_that_no_event_can_name_is_refused(address: str, device: Any) -> None:
    with pytest.raises(ValueError, match=r"^device(: index)?: "):
        Publisher.connect(address, device=device, environment={})


@pytest.mark.parametrize(
    ("option", "value"), [("epoch", -1), ("epoch", 1.5), ("heartbeat_seconds", 0), ("heartbeat_seconds", -1.0)]
)
def test_a_publisher_is_not_made_of_numbers_that_cannot_be_right(address: str, option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: "):
        Publisher(address, **{option: value})


def test_an_address_that_is_given_goes_before_that_of_the_environment(listener: Heard, address: str) -> None:
    Publisher.connect(address, environment={ADDRESS_VARIABLE: "nonsense"}).close()
    assert len(hear(listener, goodbye)) >= 3
