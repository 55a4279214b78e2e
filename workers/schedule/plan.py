"""The plan of a run: which device is first assigned which files, by the weights of the devices. Pure.

Longest processing time first: the biggest file goes to the device that would finish it earliest, then the next
biggest. A device's weight is its speed relative to an RTX 3090; work stealing corrects what the weights get wrong.
"""

from __future__ import annotations

import heapq
import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.run_events import FilesAssigned, PlannedFile
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.passed_numbers import as_figure
from virnucpro_bus.text import visible

DEVICE_WEIGHTS = {
    "RTX 3080": 0.90,
    "RTX 3090": 1.00,
    "RTX 4080": 1.35,
    "RTX 4090": 1.50,
    "RTX A6000": 1.10,
    "A100": 1.20,
    "H100": 2.50,
    "V100 16GB": 0.75,
    "V100 32GB": 0.80,
    "CPU": 1.00,
    "SIMULATED GPU": 1.00,
}
UNKNOWN_WEIGHT = 1.0
WEIGHTS = (1e-300, 1e300)
"""The range of a weight."""
MAX_EXACT_WEIGHTS = 64
_FILES_PER_EVENT = 128

# Words of a device name that do not change the model: the vendor, and how the card is built.
_IGNORED_WORDS = re.compile(r"NVIDIA|TESLA|GEFORCE|PCIE|SXM\d?|HBM\d?E?|NVL|DGXS|FHHL")
_MEMORY = re.compile(r"\d+GB")


def weight_of(device_name: str) -> tuple[float, bool]:
    """Return a device's speed relative to an RTX 3090, and whether that is known (else it is 1.0).

    A name is known only when none of its words means another model: "SUPER", "Ti", "Laptop GPU", "D", "Ada" and
    MIG slices are other devices than the plain model, and unknown. A V100 is known only with its memory size.
    """
    words = [
        word for word in re.split(r"[\s-]+", device_name.upper()) if word and not _IGNORED_WORDS.fullmatch(word)
    ]
    model = " ".join(word for word in words if not _MEMORY.fullmatch(word))
    for name in (" ".join(words), model):
        if name in DEVICE_WEIGHTS:
            return DEVICE_WEIGHTS[name], True
    return UNKNOWN_WEIGHT, False


def weights_for(spec: str, names: Sequence[str]) -> tuple[tuple[float, ...], list[str]]:
    """Return the weight of each device by `spec`, and warnings, one line each.

    `spec` is "auto" (by device name), "off" (all equal) or one number for each of `names`, separated by commas.
    Raises UserError for another count of numbers, and for a number that is not finite and above 0.
    """
    if spec == "off":
        return (1.0,) * len(names), []
    if spec == "auto":
        weights = {name: weight_of(name) for name in names}
        warnings = [
            f"{visible(name)}: its weight is unknown, {UNKNOWN_WEIGHT} is used; set it with --weights"
            for name, (_, known) in weights.items()
            if not known
        ]
        return tuple(weights[name][0] for name in names), warnings
    try:
        numbers = tuple(float(number) for number in spec.split(","))
    except ValueError:
        raise UserError(f"--weights: must be auto, off or numbers such as 1.0,1.5, not {spec!r}") from None
    if not all(weight > 0 and math.isfinite(weight) for weight in numbers):
        raise UserError(f"--weights: must be finite numbers above 0, not {spec!r}")
    if len(numbers) != len(names):
        raise UserError(f"--weights: must be one number for each device: {len(names)}, not {len(numbers)}")
    return numbers, []


def checked_weights(weights: Sequence[float] | None, devices: int) -> list[float]:
    """Return the weights of so many devices, for `assign`; None: all equal. Raises ValueError."""
    given = [1.0] * devices if weights is None else weights
    speeds = [as_figure("weights", weight, *WEIGHTS) for weight in given]
    if len(speeds) != devices:
        raise ValueError(f"weights: must be one for each device: {devices}, not {len(speeds)}")
    return speeds


def assign(costs: Sequence[int], weights: Sequence[float]) -> list[Sequence[int]]:
    """Return the files of each device, as indices of `costs`: biggest first, equal ones in input order.

    Each file, the biggest first, goes to the device with the smallest (load + cost) / weight, and among equal ones
    to the lowest index. A file costs at least 1, or empty ones would pile up on one device. `weights` are finite
    and above 0. The result is exact for up to 64 different weights; more are rounded to 64 steps of equal ratio.
    The time is proportional to files x (different weights + log devices).
    """
    # Of devices of equal weight the least loaded finishes first, whatever the cost. So a heap for each weight is
    # exact; one heap over devices of different weights is not.
    heaps: dict[float, list[tuple[int, int]]] = {}
    for device, weight in enumerate(_steps(weights)):
        heaps.setdefault(weight, []).append((0, device))
    groups = list(heaps.items())
    queues = [array("I") for _ in weights]
    for file in sorted(range(len(costs)), key=costs.__getitem__, reverse=True):
        cost = max(costs[file], 1)
        best_finish = math.inf
        best_device = len(queues)
        best_heap = groups[0][1]
        for weight, heap in groups:
            load, device = heap[0]
            finish = (load + cost) / weight
            if finish < best_finish or (finish == best_finish and device < best_device):
                best_finish, best_device, best_heap = finish, device, heap
        heapq.heapreplace(best_heap, (best_heap[0][0] + cost, best_device))
        queues[best_device].append(file)
    return list(queues)


def plan_events(
    devices: Sequence[Device],
    plan: Sequence[Sequence[int]],
    planned: Callable[[Sequence[int]], Iterable[PlannedFile]],
) -> Iterator[FilesAssigned]:
    """Yield the events that announce the plan: the numbers of each device's files, which `planned` describes."""
    for device, numbers in zip(devices, plan, strict=True):
        for first in range(0, len(numbers), _FILES_PER_EVENT):
            yield FilesAssigned(device.key, tuple(planned(numbers[first : first + _FILES_PER_EVENT])))


def _steps(weights: Sequence[float]) -> list[float]:
    """Return `weights`, rounded to MAX_EXACT_WEIGHTS different values if there are more."""
    if len(set(weights)) <= MAX_EXACT_WEIGHTS:
        return list(weights)
    lowest = min(weights)
    step = math.log(max(weights) / lowest) / (MAX_EXACT_WEIGHTS - 1)
    return [lowest * math.exp(step * round(math.log(weight / lowest) / step)) for weight in weights]
