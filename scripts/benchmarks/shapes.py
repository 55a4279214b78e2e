"""The shapes of `bench shapes`: runs whose effect and whose end are easy, hard or impossible to estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from naps import WORK_PER_SECOND
from real_runs import RealScenario

FILES = 60


def shapes(seed: int) -> list[RealScenario]:
    """Return all shapes, the same for the same seed. They take 12 to 25 s, without stealing up to 60 s."""
    dice = Random(seed)

    def lognormal() -> float:
        return dice.lognormvariate(0, 0.8)

    def bimodal() -> float:
        return dice.choice([0.3, 0.3, 0.3, 3.0]) * dice.uniform(0.8, 1.2)

    def shape(
        name: str,
        speeds: tuple[float, ...],
        *,
        seconds: float = 20.0,
        draw: Callable[[], float] = lognormal,
        files: int = FILES,
        size_of: Callable[[int], int] = lambda work: work,
        weights: str = "off",
        options: Mapping[str, str] | None = None,
    ) -> RealScenario:
        """Return a shape whose devices, all busy at these speeds, take so many seconds."""
        shares = [draw() for _ in range(files)]
        scale = seconds * WORK_PER_SECOND * sum(speeds) / sum(shares)
        works = [round(share * scale) for share in shares]
        sized = [(size_of(work), work) for work in works]
        return RealScenario(name, sized, speeds, weights, "napping:Shaped", options or {})

    equal, unequal = (1.0,) * 4, (1.0, 1.5, 2.5)
    return [
        shape("lognormal-equal", equal),
        shape("lognormal-unequal", unequal),
        shape("bimodal", (1.0, 1.0, 1.5), draw=bimodal),
        shape("slow-device", (1.0, 1.0, 1.0, 0.2), seconds=15.0),
        shape("size-not-time", equal, size_of=lambda _: round(1e6 * lognormal())),
        shape("size-unknown", unequal, size_of=lambda _: 1_000),
        shape("startup", (1.0,) * 3, seconds=22.0, options={"startup": "0,4,12"}),
        shape("fixed-cost", (1.0, 1.0, 1.5), seconds=10.0, options={"fixed": "0.6"}),
        shape("retries", (1.0, 1.0, 1.5), options={"fails": "5"}),
        shape("device-lost", equal, options={"lost": "10"}),
        shape("slows-to-a-quarter", equal, options={"slows": "7"}),
        shape("few-files", (1.0, 1.0, 2.0), files=8),
        shape("wrong-weights", equal, weights="3,1,1,1"),
    ]
