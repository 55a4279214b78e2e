"""The part of the inputs that a run takes, of which `--shard` says which it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.system.console import say
from workers.inputs.input_file import InputFile
from workers.schedule.shard import ShardName, Share, share_of


def take_share(files: Sequence[InputFile], shard: ShardName | None, problem: str | None) -> Share:
    """Return the part of `files` that is this run's.

    `problem` is what is wrong with the job's estimates of the work. Raises UserError where that could be different
    for other shards, whose parts would then not match this one's.
    """
    if problem is not None:
        if shard is not None:
            raise UserError(
                f"--shard: {problem}; other shards may be made by other numbers, so this one is not begun: "
                "try again, or correct the job's estimate"
            )
        say(problem)
    return share_of(files, shard)


def has_work(share: Share, run_dir: Path) -> bool:
    """Whether there is anything to do for this share; says which it is, if it is one of several."""
    if share.shard is None or (run_dir / CAPTURE_NAME).exists():
        return True  # what a run that is there has of the inputs, its journal knows
    say(share.describe() + ("" if share.files else ": nothing to do"))
    return bool(share.files)
