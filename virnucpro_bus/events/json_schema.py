"""The JSON schema of an event as `as_json` writes it, derived from the declarations. Pure.

On the wire an event is an array without names, and so is the schema that msgspec makes of its type. In JSON every
element has its name, which is put in here.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from virnucpro_bus.events.envelope import ENVELOPES
from virnucpro_bus.events.vocabulary import Fact

_FOREIGN = "Foreign"
"""The definition of an event that this version does not know; no kind has this name."""


def events_schema() -> dict[str, Any]:
    """Return the schema of one event: of a known kind with its fields, or of any other with a body."""
    envelopes = list(ENVELOPES.values())
    references, arrays = msgspec.json.schema_components(envelopes, ref_template="#/$defs/{name}")
    names = {record.__name__: record.__struct_fields__ for record in Fact.__subclasses__()}
    names |= {envelope.__name__: ("kind", *envelope.__struct_fields__) for envelope in envelopes}
    definitions = {title: _object(array, names[title]) for title, array in arrays.items()}
    definitions[_FOREIGN] = _foreign(definitions[envelopes[0].__name__])
    return {"anyOf": [*references, {"$ref": f"#/$defs/{_FOREIGN}"}], "$defs": definitions}


def _object(array: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object that has the elements of `array` by name; all are always written."""
    described = {"description": inspect.cleandoc(array["description"])} if "description" in array else {}
    properties = dict(zip(names, array["prefixItems"], strict=True))
    return {
        "title": array["title"],
        **described,
        "type": "object",
        "properties": properties,
        "required": list(names),
    }


def _foreign(known: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an event that only a newer version knows. Its header is that of a `known` one."""
    header = {name: each for name, each in known["properties"].items() if name != "event"}
    header |= {"kind": {**header["run"], "pattern": "/$"}, "version": header["epoch"]}  # any name, any number
    return {
        "title": _FOREIGN,
        "description": "An event of a kind or version that this version does not know; `body` is its content.",
        "type": "object",
        "properties": {**header, "body": {}},
        "required": [*header, "body"],
    }
