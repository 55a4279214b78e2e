"""What a run announces of its shard, as JSON has it."""

from __future__ import annotations

from virnucpro_bus.events.vocabulary import Shard
from virnucpro_bus.metrics import ShardReport


def shard_report(shard: Shard | None) -> ShardReport | None:
    """Return which part of the inputs a run has; None: all of them."""
    if shard is None:
        return None
    return ShardReport(number=shard.number, count=shard.count, files=shard.files, inputs=shard.inputs)
