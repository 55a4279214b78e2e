"""hypothesis strategies for events and envelopes, derived from their declarations.

    from tests.support.strategies import envelopes, events

A new kind or field needs no line here: types and ranges come from the annotations and their Meta.
"""

from __future__ import annotations

import msgspec.inspect as shapes
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from virnucpro_bus.events.envelope import ENVELOPES, Envelope
from virnucpro_bus.events.vocabulary import Fact

# Long enough to be interesting, short enough that no generated frame comes near the 64 KiB limit.
SHORT_TEXT = 40
FEW_ITEMS = 4


def envelopes(*kinds: type[Fact]) -> SearchStrategy[Envelope]:
    """Addressed events of `kinds`, or of every kind."""
    return st.one_of([_values(shapes.type_info(ENVELOPES[kind])) for kind in kinds or ENVELOPES])


def events(*kinds: type[Fact]) -> SearchStrategy[Fact]:
    """Bare events of `kinds`, or of every kind."""
    return st.one_of([_values(shapes.type_info(kind)) for kind in kinds or ENVELOPES])


def _values(shape: shapes.Type) -> SearchStrategy:
    match shape:
        case shapes.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: _values(field.type) for field in fields})
        case shapes.UnionType(types=types):
            # None first: what comes first is what hypothesis takes for simple.
            simplest_first = sorted(types, key=lambda each: not isinstance(each, shapes.NoneType))
            return st.one_of([_values(each) for each in simplest_first])
        case shapes.VarTupleType(item_type=item):
            return st.lists(_values(item), max_size=FEW_ITEMS).map(tuple)
        case shapes.DictType(key_type=key, value_type=value):
            return st.dictionaries(_values(key), _values(value), max_size=FEW_ITEMS)
        case shapes.IntType(ge=low, le=high):
            return st.integers(low, high)
        case shapes.FloatType(ge=low, le=high):
            return st.floats(low, high, allow_nan=False)
        case shapes.StrType(max_length=int(longest)):
            # The codec "utf-8" leaves out lone surrogates, which no frame can carry.
            short = st.text(st.characters(codec="utf-8"), max_size=SHORT_TEXT)
            return st.one_of(short, st.just("x" * longest))
        case shapes.BoolType():
            return st.booleans()
        case shapes.NoneType():
            return st.none()
    raise TypeError(f"no strategy for {shape}")
