"""Devices and files for tests of whoever hands them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from virnucpro_bus.events import Device
from workers.inputs import InputFile


def input_file(name: str, cost: int = 1, *, own_folder: bool = False) -> InputFile:
    """An input of that name, below a folder that does not exist."""
    return InputFile(name, Path("/data") / name, name.rpartition(".")[0] or name, cost, cost, own_folder)


def input_files(costs: Sequence[int]) -> list[InputFile]:
    """f0.fa, f1.fa ... of these costs."""
    return [input_file(f"f{number}.fa", cost) for number, cost in enumerate(costs)]


def cpus(count: int) -> list[Device]:
    """cpu:0, cpu:1 ..."""
    return [Device(f"cpu:{number}", "CPU", number) for number in range(count)]
