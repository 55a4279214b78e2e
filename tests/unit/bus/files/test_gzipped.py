"""Content that is compressed while it is written."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.files.gzipped import gzipped


@given(st.lists(st.binary()))
def test_what_is_decompressed_is_what_was_given_however_it_is_cut(pieces: list[bytes]) -> None:
    assert gzip.decompress(b"".join(gzipped(pieces))) == b"".join(pieces)


def test_the_time_of_writing_is_not_in_it() -> None:
    assert b"".join(gzipped([b"a trace"]))[4:8] == bytes(4)
