"""One event as one line: as text for people, or as a JSON object. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from virnucpro_bus.clock import NANOSECONDS, local_time_of_day
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.kinds import KIND_OF
from virnucpro_bus.text import visible

MAX_DEPTH = 32
"""Levels that are printed; a foreign body may be nested as deep as its frame is long."""
TOO_DEEP = "(nested too deep)"
VALUE_CHARACTERS = 300
"""A longer value is cut in `as_line`."""
SOURCE_CHARACTERS = 20
"""Width of the column host/source; a longer one shifts the rest of its line."""
KIND_CHARACTERS = 16


def kind_of(envelope: Envelope | Foreign) -> str:
    """Return the kind as on the wire, for example "file.completed/"."""
    return envelope.kind if isinstance(envelope, Foreign) else KIND_OF[type(envelope.event)]


def as_json(envelope: Envelope | Foreign) -> str:
    """Write the whole event as one line of valid JSON in plain ASCII.

    An event of a known kind has its fields by name in "event"; any other is in "body" as received, with null for
    NaN and the infinities, which JSON cannot express.
    """
    content = {"body": envelope.body} if isinstance(envelope, Foreign) else {"event": envelope.event}
    header = {name: getattr(envelope, name) for name in Envelope.__struct_fields__}
    return json.dumps({"kind": kind_of(envelope), **header, **_plain(content)}, allow_nan=False)


def as_line(envelope: Envelope | Foreign) -> str:
    """Write the event for people: local time, host/source, kind, fields; safe to print on a terminal."""
    source = visible(f"{envelope.host}/{envelope.source}")
    kind = visible(kind_of(envelope).removesuffix("/"))
    content = _plain(envelope.body if isinstance(envelope, Foreign) else envelope.event)
    text = _fields(content) if isinstance(content, dict) else _value(content)
    return f"{_time(envelope.wall_ns)}  {source:<{SOURCE_CHARACTERS}}  {kind:<{KIND_CHARACTERS}}  {text}".rstrip()


def _time(wall_ns: int) -> str:
    seconds, below_second_ns = divmod(wall_ns, NANOSECONDS)
    return f"{local_time_of_day(seconds * NANOSECONDS)}.{below_second_ns // 1_000_000:03d}"


def _plain(value: Any, depth: int = 0) -> Any:
    """Return `value` in JSON's own types; a struct becomes an object of its fields."""
    if depth > MAX_DEPTH:
        return TOO_DEEP
    match value:
        case msgspec.Struct():
            return {name: _plain(getattr(value, name), depth + 1) for name in value.__struct_fields__}
        case Mapping():
            return {key if isinstance(key, str) else str(key): _plain(value[key], depth + 1) for key in value}
        case list() | tuple():
            return [_plain(item, depth + 1) for item in value]
        case float() if not math.isfinite(value):
            return None
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _fields(content: dict[str, Any]) -> str:
    return " ".join(f"{visible(name)}={_value(value)}" for name, value in content.items())


def _value(value: Any) -> str:
    match value:
        case None:
            text = "n/a"
        case str():
            # Quoted where it could be confused with what is beside it.
            plain = value != "" and not set(value) & set(' "=')
            text = visible(value) if plain else visible(json.dumps(value, ensure_ascii=False))
        case float():
            text = f"{value:.6g}"
        case _:
            text = visible(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"
