"""What every file costs whatever its size, learned from how long files took. Pure.

Estimates go by size, but a file also has to be opened and its results brought to the disk, and some jobs take the
same time for any file. So for each device a straight line is laid through its completed files (ordinary least
squares), seconds = a + b x work; a / b is what is to be added to the work of every file. Within a device, because
devices differ in speed; and of the devices the median, because a single file can bend a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, linear_regression, median

LEAST_FILES = 8
"""Of a device, before its line is believed."""
LEAST_SHARE = 0.05
"""Of the mean time of a file; less than that is noise."""
MOST_FILES = 100.0
"""At most that many times the mean work of a file, where its size seems to say nothing."""


def fixed_work(devices: Iterable[Sequence[tuple[int, float]]]) -> int:
    """What to add to the estimated work of every file; 0 where nothing is known.

    Of each device the completed files, as (estimated work, seconds).
    """
    return round(median([fixed for files in devices if (fixed := _of_device(files)) is not None] or [0.0]))


def _of_device(files: Sequence[tuple[int, float]]) -> float | None:
    works, seconds = [work for work, _ in files], [taken for _, taken in files]
    if len(files) < LEAST_FILES or min(works) == max(works):
        return None
    slope, intercept = linear_regression(works, seconds)
    if intercept <= LEAST_SHARE * fmean(seconds):
        return 0.0
    most = MOST_FILES * fmean(works)
    return most if slope <= 0 else min(most, intercept / slope)
