"""Whether runs are the shards of one whole: the parts of one set of inputs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from virnucpro_bus.run_reports import ShardReport
from virnucpro_bus.text import visible

MAX_SHARDS_NAMED = 4
"""How many shards a warning names before "and N more"."""
Whole = tuple[int, str]
"""What the parts of one whole have in common: how many they are, and the digest of all inputs."""


def shard_text(shard: ShardReport) -> str:
    """Return for example "0/4 of 60 files"."""
    return f"{shard['number']}/{shard['count']} of {shard['files']} files"


def are_parts_of_one_whole(shards: Mapping[str, ShardReport | None]) -> bool:
    """Return whether several runs, by name, are different parts of the same inputs."""
    known = [shard for shard in shards.values() if shard is not None]
    wholes = {_whole(shard) for shard in known}
    numbers = {shard["number"] for shard in known}
    return len(wholes) == 1 and len(known) == len(numbers) == len(shards) > 1


def shard_warnings(shards: Mapping[str, ShardReport | None]) -> Iterator[str]:
    """Yield what makes a whole of these runs, by name, incomplete or doubtful, one line each."""
    by_whole: dict[Whole, dict[int, list[str]]] = {}
    for name, shard in shards.items():
        if shard is not None:
            by_whole.setdefault(_whole(shard), {}).setdefault(shard["number"], []).append(visible(name))
    files = {_whole(shard): shard["files"] for shard in shards.values() if shard is not None}
    incomplete = []
    for whole, names in by_whole.items():
        count = whole[0]
        for number, alike in sorted(names.items()):
            if len(alike) > 1:
                yield f"shard {number}/{count} is given {len(alike)} times: {', '.join(alike)}"
        # The files are spread so that the first shards get the only ones where there are too few.
        missing = [number for number in range(min(count, files[whole])) if number not in names]
        if missing and len(shards) > 1:
            incomplete.append(whole)
            yield f"the runs that are given lack {_named(missing, count)}"
    if len(incomplete) > 1:
        groups = (", ".join(name for names in by_whole[whole].values() for name in names) for whole in incomplete)
        yield (
            f"the shards are of different inputs ({'; '.join(groups)}): some files may be done twice, and others "
            "not at all"
        )


def _whole(shard: ShardReport) -> Whole:
    return shard["count"], shard["inputs"]


def _named(numbers: list[int], count: int) -> str:
    """Return for example "shards 1/4 and 3/4"."""
    names = [f"{number}/{count}" for number in numbers[:MAX_SHARDS_NAMED]]
    if more := len(numbers) - len(names):
        names.append(f"{more} more")
    if len(names) == 1:
        return f"shard {names[0]}"
    return f"shards {', '.join(names[:-1])} and {names[-1]}"
