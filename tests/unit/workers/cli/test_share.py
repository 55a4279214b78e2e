"""The part of the inputs that a run takes, before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plans import input_files
from virnucpro_bus.errors import UserError
from workers.cli.share import has_work, take_share
from workers.schedule.shard import ShardName

PROBLEM = "the job's estimates are not used, but the sizes of the files: estimating takes longer than 60 s"
FILES = input_files([3, 2, 1])


def test_a_run_of_all_inputs_goes_by_the_sizes_where_estimates_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert take_share(FILES, None, PROBLEM).files == FILES
    assert capsys.readouterr().err == f"virnucpro-bus: {PROBLEM}\n"


def test_a_shard_is_not_begun_by_sizes_because_the_others_may_have_estimates() -> None:
    with pytest.raises(UserError, match=f"^--shard: {PROBLEM}; .* try again, or correct the job's estimate$"):
        take_share(FILES, ShardName(0, 2), PROBLEM)


def test_what_falls_to_a_shard_is_printed_unless_its_journal_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, none = take_share(FILES, ShardName(0, 2), None), take_share(FILES, ShardName(3, 4), None)
    assert has_work(mine, tmp_path)
    assert not has_work(none, tmp_path)
    assert capsys.readouterr().err == (
        "virnucpro-bus: shard 0/2: 1 of 3 files, 50.0 % of the estimated work\n"
        "virnucpro-bus: shard 3/4: 0 of 3 files, 0.0 % of the estimated work: nothing to do\n"
    )
    (tmp_path / "run.vbus").touch()
    assert has_work(none, tmp_path)
    assert capsys.readouterr().err == ""
