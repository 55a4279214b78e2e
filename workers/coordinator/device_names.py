"""The devices of a run by the names that callers use: a key, a displayed id, or the digits of an index."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.devices import display_id, find_device
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.passed_numbers import shown

NAMED = 8
"""How many devices a message names."""


class DeviceNames:
    """Finds the number of a device, its place in the list of all, by any of its names. Immutable."""

    def __init__(self, devices: Sequence[Device]) -> None:
        """Raises ValueError when two devices have the same name: figures of one would go to the other."""
        self._ids = [display_id(device) for device in devices]
        self._slots: dict[int | str, int] = {}
        for slot, device in enumerate(devices):
            for name in {device.key, self._ids[slot]}:
                if name in self._slots:
                    raise ValueError(f"devices: two are called {shown(name)}; give each its own key and index")
                self._slots[name] = slot

    def slot(self, gpu_id: object) -> int:
        """Return the number of the device that `gpu_id` names. Raises KeyError when it names none."""
        # Nearly always it is a key: that case does without a call.
        slot = self._slots.get(gpu_id) if type(gpu_id) is str else None
        if slot is None:
            slot = find_device(gpu_id, self._slots)
        if slot is None:
            known = ", ".join(map(str, self._ids[:NAMED])) + (", ..." if len(self._ids) > NAMED else "")
            raise KeyError(
                f"gpu_id: {shown(gpu_id)} is not a device of this coordinator, which has {known or 'none'}"
            )
        return slot
