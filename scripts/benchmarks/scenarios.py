"""Runs for `bench makespan`: files, devices and what is known of them, by seed; and how soon they could end."""

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
    """`goal` is the greatest wall / lower bound that `cost` may reach; None: nobody can promise any."""

    name: str
    files: tuple[SimFile, ...]
    devices: tuple[SimDevice, ...]
    goal: float | None

    @property
    def bound_seconds(self) -> float:
        """All devices busy to the end; or the biggest file, on the fastest device."""
        work = [file.work for file in self.files]
        latest = max(work) / max(device.speed for device in self.devices)
        low, high = 0.0, sum(work) / min(device.speed for device in self.devices) * 10
        for _ in range(100):
            middle = (low + high) / 2
            enough = sum(_done_by(device, middle) for device in self.devices) >= sum(work)
            low, high = (low, middle) if enough else (middle, high)
        return max(high, latest)


def _done_by(device: SimDevice, until: float) -> float:
    """The most work that a device can have done at some time."""
    until = min(until, until if device.lost_at_seconds is None else device.lost_at_seconds)
    at, speed, done = device.joins_at_seconds, device.speed, 0.0
    for second, changed in device.changes:
        if second >= until:
            break
        done += max(0.0, second - at) * speed
        at, speed = max(at, second), changed
    return done + max(0.0, until - at) * speed


def scenarios(seed: int, files: int = FILES) -> list[Scenario]:
    """The same for the same seed."""
    dice = random.Random(seed)

    def lognormal() -> float:
        return MEAN * dice.lognormvariate(-0.5, 1.0)

    def bimodal() -> float:
        return dice.choice([0.2 * MEAN] * 4 + [4 * MEAN]) * dice.uniform(0.8, 1.2)

    def sizes(draw: Callable[[], float], many: int = files) -> list[int]:
        return [max(1, round(draw())) for _ in range(many)]

    usual = sizes(lognormal)
    seconds = sum(usual) / sum(UNEQUAL)
    giant = sizes(lambda: MEAN * dice.lognormvariate(-0.1, 0.4))
    giant[0] = round(0.9 * sum(giant) / len(EQUAL))
    told = [SimDevice(speed, weight=speed) for speed in UNEQUAL]
    equal = [SimDevice(speed) for speed in EQUAL]
    untold = [SimDevice(speed) for speed in UNEQUAL]
    slowing = [*told[:-1], replace(told[-1], changes=((0.4 * seconds, UNEQUAL[-1] / 3),))]
    losing = [*told[:-1], replace(told[-1], lost_at_seconds=0.5 * seconds)]
    joining = [*told[:-1], replace(told[-1], joins_at_seconds=0.5 * seconds)]
    wrong = tuple(SimFile(work, max(1, round(work * 3 ** dice.uniform(-1, 1)))) for work in usual)
    unknown = tuple(SimFile(work, 1) for work in usual)
    return [
        _known("equal speeds, lognormal", usual, equal),
        _known("unequal speeds, lognormal", usual, told),
        _known("unequal speeds not told, lognormal", usual, untold),
        _known("unequal speeds not told, bimodal", sizes(bimodal), untold),
        _known("equal speeds, one giant", giant, equal),
        _known("unequal speeds not told, 5,000 tiny", sizes(lambda: dice.uniform(10, 100), 5_000), untold),
        Scenario("estimates wrong by up to 3 x", wrong, tuple(told), 1.05),
        Scenario("fastest slows to a third", _files(usual), tuple(slowing), 1.05),
        Scenario("fastest is lost", _files(usual), tuple(losing), None),
        Scenario("fastest joins late", _files(usual), tuple(joining), None),
        Scenario("sizes unknown", unknown, tuple(told), None),
    ]


def _known(name: str, sizes: Sequence[int], devices: Sequence[SimDevice]) -> Scenario:
    return Scenario(name, _files(sizes), tuple(devices), 1.01)


def _files(sizes: Sequence[int]) -> tuple[SimFile, ...]:
    return tuple(SimFile(size, size) for size in sizes)
