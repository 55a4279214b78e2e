"""Which worker has begun a task, as files in the folder of the attempts show it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from workers.dask.member.claims import Claim, claim, claims_beside, forget_claim

ONE, TWO = Claim("worker-1", 5, 12), Claim("worker-2", 3, 1)


def test_a_task_is_claimed_once_and_all_see_by_whom(tmp_path: Path) -> None:
    first, second = os.fsencode(tmp_path / "s-1"), os.fsencode(tmp_path / "s-2")
    assert claim(first, ONE)
    assert not claim(first, TWO)
    assert claim(second, TWO)
    assert claims_beside(first) == {first: ONE, second: TWO}


def test_a_claim_that_is_forgotten_can_be_made_again(tmp_path: Path) -> None:
    output = os.fsencode(tmp_path / "s-1")
    claim(output, ONE)
    forget_claim(output)
    forget_claim(output)
    assert claims_beside(output) == {}
    assert claim(output, TWO)


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    output = os.fsencode(tmp_path / "s-1")
    (tmp_path / "s-1.claim").write_text("worker-1")
    (tmp_path / "s-2.claim").write_bytes(b"\xff 1 2")
    (tmp_path / "other").touch()
    assert claims_beside(output) == {}
    assert not claim(output, ONE)


def test_without_the_folder_the_attempt_itself_is_to_find_that_out(tmp_path: Path) -> None:
    output = os.fsencode(tmp_path / "removed" / "s-1")
    assert claim(output, ONE)
    assert claims_beside(output) == {}
