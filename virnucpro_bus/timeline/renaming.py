"""Calls the devices of a timeline what the fold calls them once their GPUs are known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.timeline.timeline import DeviceKey, Timeline


def with_identities(timeline: Timeline, identities: Mapping[DeviceKey, Device]) -> Timeline:
    """Return the timeline with new keys of devices; `identities` are by host and the key of the workers."""
    if not identities:
        return timeline

    def name(host: str, key: str) -> str:
        device = identities.get((host, key))
        return key if device is None else device.key

    return replace(
        timeline,
        attempts=[
            each._replace(
                device=name(each.host, each.device),
                stolen_from=None if each.stolen_from is None else name(each.host, each.stolen_from),
            )
            for each in timeline.attempts
        ],
        steals=[
            each._replace(thief=name(each.host, each.thief), victim=name(each.host, each.victim))
            for each in timeline.steals
        ],
        loading=[each._replace(device=name(each.host, each.device)) for each in timeline.loading],
        losses=[each._replace(device=name(each.host, each.device)) for each in timeline.losses],
    )
