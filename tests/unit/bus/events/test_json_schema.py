"""The schema of events accepts what `as_json` writes, and nothing that lacks a part of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.paths import ROOT
from tests.support.strategies import envelopes
from virnucpro_bus.events.codec import Foreign, decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.json_schema import events_schema
from virnucpro_bus.events.kinds import KINDS
from virnucpro_bus.events.render import as_json

SCHEMA = events_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
LINES = {
    kind: as_json(decode(bytes.fromhex((ROOT / f"tests/golden/frames/{kind[:-1]}.hex").read_text())))
    for kind in KINDS
}


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@given(envelope=envelopes())
def test_any_event_of_ours_is_valid(envelope: Envelope) -> None:
    VALIDATOR.validate(json.loads(as_json(envelope)))


@given(body=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_an_event_of_a_newer_version_is_valid_whatever_is_in_it(body: Any) -> None:
    for kind, version in (("new.kind/", 1), ("file.completed/", 2)):
        VALIDATOR.validate(json.loads(as_json(Foreign(kind, version, "r", "h", "s", 0, 1, 0, 0, body))))


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_that_lacks_any_of_its_fields_is_invalid(kind: str) -> None:
    for name in (whole := json.loads(LINES[kind])):
        assert not VALIDATOR.is_valid({key: each for key, each in whole.items() if key != name}), name
    for name in whole["event"]:
        event = {key: each for key, each in whole["event"].items() if key != name}
        assert not VALIDATOR.is_valid(whole | {"event": event}), name


@pytest.mark.parametrize(
    "wrong", [{"attempt": -1}, {"sequences": "2"}, {"duration_seconds": None}, {"file": "x" * 4097}], ids=str
)
def test_a_field_of_another_type_or_out_of_range_is_invalid(wrong: dict[str, Any]) -> None:
    whole = json.loads(LINES["file.completed/"])
    assert VALIDATOR.is_valid(whole)
    assert not VALIDATOR.is_valid(whole | {"event": whole["event"] | wrong})


def test_a_field_that_a_newer_version_adds_is_valid() -> None:
    whole = json.loads(LINES["file.completed/"])
    VALIDATOR.validate(whole | {"event": whole["event"] | {"added": 1}})
