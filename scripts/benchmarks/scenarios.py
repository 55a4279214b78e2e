"""The scenarios of `bench makespan`: files, devices and what is known of them, by seed; and their lower bounds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from workers.whatif.simulator import SimDevice, SimFile

EQUAL = (1.0, 1.0, 1.0, 1.0)
UNEQUAL = (1.0, 1.0, 1.5, 2.5)
FILES = 200
MEAN = 1_000.0


@dataclass(frozen=True)
class Scenario:
    """One simulated run. `goal` is the highest wall time / lower bound for `cost`; None: there is no goal."""

    name: str
    files: tuple[SimFile, ...]
    devices: tuple[SimDevice, ...]
    goal: float | None

    @property
    def bound_seconds(self) -> float:
        """The least time: all devices busy to the end, or the biggest file on the fastest device."""
        work = [file.work for file in self.files]
        latest = max(work) / max(device.speed for device in self.devices)
        low, high = 0.0, sum(work) / min(device.speed for device in self.devices) * 10
        for _ in range(100):
            time = (low + high) / 2
            enough = sum(_done_by(device, time) for device in self.devices) >= sum(work)
            low, high = (low, time) if enough else (time, high)
        return max(high, latest)


def _done_by(device: SimDevice, until: float) -> float:
    """Return the most work that a device can have done by this time."""
    until = min(until, until if device.lost_at_seconds is None else device.lost_at_seconds)
    at, speed, done = device.joins_at_seconds, device.speed, 0.0
    for second, changed in device.changes:
        if second >= until:
            break
        done += max(0.0, second - at) * speed
        at, speed = max(at, second), changed
    return done + max(0.0, until - at) * speed


def scenarios(seed: int, files: int = FILES) -> list[Scenario]:
    """Return all scenarios; they are the same for the same seed."""
    dice = random.Random(seed)

    def lognormal() -> float:
        return MEAN * dice.lognormvariate(-0.5, 1.0)

    def bimodal() -> float:
        return dice.choice([0.2 * MEAN] * 4 + [4 * MEAN]) * dice.uniform(0.8, 1.2)

    def sizes(draw: Callable[[], float], count: int = files) -> list[int]:
        return [max(1, round(draw())) for _ in range(count)]

    usual = sizes(lognormal)
    seconds = sum(usual) / sum(UNEQUAL)
    giant = sizes(lambda: MEAN * dice.lognormvariate(-0.1, 0.4))
    giant[0] = round(0.9 * sum(giant) / len(EQUAL))
    weighted = [SimDevice(speed, weight=speed) for speed in UNEQUAL]
    equal = [SimDevice(speed) for speed in EQUAL]
    unweighted = [SimDevice(speed) for speed in UNEQUAL]
    slowing = [*weighted[:-1], replace(weighted[-1], changes=((0.4 * seconds, UNEQUAL[-1] / 3),))]
    losing = [*weighted[:-1], replace(weighted[-1], lost_at_seconds=0.5 * seconds)]
    joining = [*weighted[:-1], replace(weighted[-1], joins_at_seconds=0.5 * seconds)]
    wrong = tuple(SimFile(work, max(1, round(work * 3 ** dice.uniform(-1, 1)))) for work in usual)
    unknown = tuple(SimFile(work, 1) for work in usual)
    return [
        _known("equal speeds, lognormal", usual, equal),
        _known("unequal speeds, lognormal", usual, weighted),
        _known("unknown speeds, lognormal", usual, unweighted),
        _known("unknown speeds, bimodal", sizes(bimodal), unweighted),
        _known("equal speeds, one giant", giant, equal),
        _known("unknown speeds, 5,000 tiny", sizes(lambda: dice.uniform(10, 100), 5_000), unweighted),
        Scenario("estimates wrong by up to 3 x", wrong, tuple(weighted), 1.05),
        Scenario("fastest slows to a third", _files(usual), tuple(slowing), 1.05),
        Scenario("fastest is lost", _files(usual), tuple(losing), None),
        Scenario("fastest joins late", _files(usual), tuple(joining), None),
        Scenario("sizes unknown", unknown, tuple(weighted), None),
    ]


def _known(name: str, sizes: Sequence[int], devices: Sequence[SimDevice]) -> Scenario:
    return Scenario(name, _files(sizes), tuple(devices), 1.01)


def _files(sizes: Sequence[int]) -> tuple[SimFile, ...]:
    return tuple(SimFile(size, size) for size in sizes)
