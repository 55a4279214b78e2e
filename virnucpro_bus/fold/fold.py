"""All that one bus has published, folded: the folds of its hosts."""

from __future__ import annotations

from msgspec import Struct

from virnucpro_bus.events.sequence import SequenceTracker
from virnucpro_bus.events.vocabulary import Count
from virnucpro_bus.fold.host_fold import HostFold


class Fold(Struct, array_like=True):
    """All that a fleet has folded. Times of receipt in it are by the clock of whoever has folded it."""

    refused: dict[str, Count]
    """How many frames are not events, by reason."""
    hosts: list[HostFold]

    def includes(self, other: Fold) -> bool:
        """Whether all events that `other` has folded are folded here too."""
        seen = {(host.host, *name): stream.seen for host in self.hosts for *name, stream in host.streams()}
        nothing = SequenceTracker()
        return all(
            seen.get((host.host, *name), nothing).includes(stream.seen)
            for host in other.hosts
            for *name, stream in host.streams()
        )
