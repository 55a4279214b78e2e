"""The shards of a set of inputs: which of several runs has which of them. Pure.

The runs do not communicate. Each computes all parts, from all inputs, and takes its own. So only what is the same
for all of them decides: the ids of the inputs, and the estimated work in them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.run_events import Shard
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles
from workers.schedule.plan import assign

_SHARD = re.compile(r"([0-9]{1,5})/([0-9]{1,5})")


class ShardName(NamedTuple):
    """Which part of how many a run takes, from 0."""

    number: int
    total: int

    def __str__(self) -> str:
        """Return the name as the user writes it."""
        return f"{self.number}/{self.total}"


class Share(NamedTuple):
    """The inputs of one run among those of all."""

    files: Sequence[InputFile]
    others: Sequence[InputFile] = ()
    """The inputs of the other runs."""
    shard: Shard | None = None
    """None: the run has all inputs."""

    def describe(self) -> str:
        """Return how much of the whole it is, in a line."""
        mine = sum(InputFiles.of(self.files).costs)
        total = mine + sum(InputFiles.of(self.others).costs)
        part = f", {100 * mine / total:.1f} % of the estimated work" if total else ""
        name = "all" if self.shard is None else f"shard {name_of(self.shard)}"
        return f"{name}: {len(self.files)} of {len(self.files) + len(self.others)} files{part}"


def parse_shard(text: str) -> ShardName:
    """Return the shard that a user means by "I/N". Raises UserError."""
    match = _SHARD.fullmatch(text)
    if match is None:
        raise UserError(f"{text!r}: is not a shard: expected I/N, for example 0/4 for the first of 4")
    name = ShardName(int(match[1]), int(match[2]))
    if name.number >= name.total:
        last = f"the last of {name.total} is {name.total - 1}/{name.total}" if name.total else "N is at least 1"
        raise UserError(f"{text!r}: is not a shard: they count from 0, and {last}")
    return name


def share_of(files: Sequence[InputFile], name: ShardName | None) -> Share:
    """Return the part of `files` that has this name; None: all of them. The order of `files` makes no difference.

    Longest processing time first, over equal runs: the largest part has at most 4/3 of the work that it has in the
    best distribution. Among files of equal work, the id decides.
    """
    if name is None:
        return Share(files)
    ordered = InputFiles.of(files).by_id()
    mine = frozenset(assign(ordered.costs, [1.0] * name.total)[name.number])
    return Share(
        ordered.pick([index for index in range(len(ordered)) if index in mine]),
        ordered.pick([index for index in range(len(ordered)) if index not in mine]),
        Shard(*name, len(ordered), _digest(ordered)),
    )


def name_of(shard: Shard | None) -> ShardName | None:
    """Return the name of a shard, without what it is a part of."""
    return None if shard is None else ShardName(shard.number, shard.count)


def _digest(ordered: InputFiles) -> str:
    text = json.dumps(list(zip(ordered.ids, ordered.costs, strict=True)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
