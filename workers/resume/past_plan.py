"""The plan of a run's earlier sessions, of which a million files take little memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping

import msgspec

from virnucpro_bus.events.run_events import PlannedFile

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(PlannedFile).decode


class PastPlan(MutableMapping[str, PlannedFile]):
    """Planned files by id. Each is kept packed, in a third of the memory: most are needed once, for a moment."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    def with_first(self, files: Iterable[str]) -> PastPlan:
        """Return a plan in which these files come first; of those that are not planned only the ids are known."""
        plan = PastPlan()
        plan._packed = {file: _pack(PlannedFile(file, 0, 0)) for file in files} | self._packed
        return plan

    def __getitem__(self, file: str) -> PlannedFile:
        return _unpack(self._packed[file])

    def __setitem__(self, file: str, planned: PlannedFile) -> None:
        self._packed[file] = _pack(planned)

    def __delitem__(self, file: str) -> None:
        del self._packed[file]

    def __contains__(self, file: object) -> bool:
        return file in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)
