"""One event as one line, for people and for programs, whatever is in it."""

from __future__ import annotations

import json
import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import envelopes
from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import Foreign, decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.render import MAX_DEPTH, TOO_DEEP, as_json, as_line, kind_of
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script
from virnucpro_bus.text import visible

HEADER = ("version", "run", "host", "source", "epoch", "seq", "wall_ns", "mono_ns")


def enveloped(event: ev.Fact) -> Envelope:
    return Script().say("w0", event)


def foreign(body: Any) -> Foreign:
    return Foreign("new.kind/", 2, "run-2", "node", "w", 1, 7, 5, 6, body)


def parsed(envelope: Envelope | Foreign) -> dict[str, Any]:
    """The JSON line, read by a parser that refuses NaN and infinities."""

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    found: dict[str, Any] = json.loads(as_json(envelope), parse_constant=refuse)
    return found


def test_the_json_object_has_the_header_the_kind_and_the_fields_by_name() -> None:
    envelope = enveloped(ev.FileCompleted("GPU-a", "ä.fa", 1, 250, 3.5))
    event = {"device": "GPU-a", "file": "ä.fa", "attempt": 1, "sequences": 250, "duration_seconds": 3.5}
    header = {name: getattr(envelope, name) for name in HEADER}
    assert parsed(envelope) == {"kind": "file.completed/", **header, "event": event}


def test_what_is_nested_in_an_event_is_named_too() -> None:
    found = parsed(enveloped(ev.RunStarted("job", "off", (Device("GPU-a", "A100", 3), Device("cpu:0")), 2)))
    assert found["event"]["devices"] == [
        {"key": "GPU-a", "name": "A100", "index": 3, "label": ""},
        {"key": "cpu:0", "name": "", "index": None, "label": ""},
    ]


def test_a_foreign_body_is_kept_as_it_is() -> None:
    body = [1, "two", {"three": [None, True, 2**64 - 1]}, -0.5]
    found = parsed(foreign(body))
    assert found["body"] == body
    assert (found["kind"], found["version"], found["seq"]) == ("new.kind/", 2, 7)


def test_nan_and_the_infinities_of_a_foreign_body_become_null() -> None:
    assert parsed(foreign([math.nan, {"a": math.inf}, -math.inf, 1.5]))["body"] == [None, {"a": None}, None, 1.5]


def test_a_body_that_is_nested_too_deep_is_cut_off_visibly() -> None:
    body: list[Any] = []
    for _ in range(500):
        body = [body]
    frame = msgpack.packb(["new.kind/", 2, "r", "h", "s", 1, 1, 1, 1, body])
    envelope = decode(frame)
    assert TOO_DEEP in as_json(envelope)
    assert as_json(envelope).count("[") <= MAX_DEPTH + 1
    assert TOO_DEEP in as_line(envelope)


def test_a_line_tells_time_source_kind_and_fields() -> None:
    words = as_line(enveloped(ev.WorkStolen("GPU-a", "GPU-b", "x.fa", 1, 5))).split()
    assert words[0].endswith(":20.000")
    assert words[1:3] == ["node/w0", "work.stolen"]
    assert {"file=x.fa", "attempt=1"} <= set(words[3:])


def test_text_that_could_be_taken_for_two_fields_is_quoted() -> None:
    assert 'file="a.fa attempt=9"' in as_line(enveloped(ev.FileStarted("GPU-a", "a.fa attempt=9", 1)))


def test_what_is_unknown_is_na_in_a_line() -> None:
    assert " temperature_celsius=n/a" in as_line(
        enveloped(ev.GpuSampled(Device("GPU-a"), 1.0, None, 1, 2, None, 3.0))
    )


def test_a_very_long_value_is_cut_in_a_line_but_not_in_json() -> None:
    envelope = enveloped(ev.FileStarted("GPU-a", "x" * 4000, 1))
    assert len(as_line(envelope)) < 500
    assert parsed(envelope)["event"]["file"] == "x" * 4000


def test_nothing_in_a_line_can_drive_the_terminal() -> None:
    line = as_line(enveloped(ev.FileStarted("GPU-a", "\x1b[2J\u202eevil\n.fa", 1)))
    assert "\\x1b[2J" in line
    assert line.isprintable()


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.just(b""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
)


@given(body=anything, kind=st.text(min_size=1, max_size=20), source=st.text(max_size=20))
def test_any_foreign_event_is_one_printable_line_and_valid_json(body: Any, kind: str, source: str) -> None:
    envelope = Foreign(f"{kind}/", 2, "run", "host", source, 1, 1, 2**63 - 1, 0, body)
    line = as_line(envelope)
    assert visible(line) == line
    assert as_json(envelope).isascii()
    assert parsed(envelope)["kind"] == kind_of(envelope) == f"{kind}/"


@given(envelope=envelopes())
def test_any_event_of_ours_is_one_printable_line_and_valid_json(envelope: Envelope) -> None:
    line = as_line(envelope)
    assert visible(line) == line
    found = parsed(envelope)
    assert set(found) == {"kind", *HEADER, "event"}
    assert set(found["event"]) == set(envelope.event.__struct_fields__)
