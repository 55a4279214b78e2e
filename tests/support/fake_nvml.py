"""A driver library in C, controlled by a scenario file; nvidia-ml-py calls it like the real one.

    nvml = FakeNvmlLibrary(tmp_path)
    nvml.shows(Gpu("GPU-a", compute=40), Gpu("GPU-b", lost=True))
    subprocess.run([...], env=os.environ | nvml.environment)

The processes that use it see a new scenario at their next question.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.paths import TESTS

SOURCE = TESTS / "fake_nvml" / "nvml.c"
GIB = 2**30
LIBRARY = "libnvidia-ml.so.1"


@dataclass(frozen=True)
class Gpu:
    """What one GPU, or MIG instance, answers; None is "not supported". `errors` has NVML's code by the words of
    nvml.c, "*" for all."""

    uuid: str
    name: str | bytes = "NVIDIA A100"
    compute: int | None = 40
    used: int | None = 10 * GIB
    total: int = 40 * GIB
    temperature: int | None = 55
    milliwatts: int | None = 250_500
    millijoules: int | None = 7_000_500
    lost: bool = False
    errors: Mapping[str, int] = field(default_factory=dict)
    mig: tuple[Gpu, ...] = ()

    def lines(self, kind: str = "gpu") -> list[str]:
        """As nvml.c reads it."""
        name = self.name if isinstance(self.name, bytes) else self.name.encode()
        text = "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in name)
        figures = {
            "compute": self.compute,
            "memory": None if self.used is None else f"{self.used} {self.total}",
            "temperature": self.temperature,
            "power": self.milliwatts,
            "energy": self.millijoules,
        }
        return [
            f"{kind} {self.uuid}",
            f"name {text}",
            *(f"{word} {figure}" for word, figure in figures.items() if figure is not None),
            *(f"error {word} {code}" for word, code in self.errors.items()),
            *(["lost"] if self.lost else []),
            *(line for instance in self.mig for line in instance.lines("mig")),
        ]


@dataclass(frozen=True)
class Step:
    """What holds from `seconds` after a process's first question on. `init` and `down` are codes of NVML, 0 for
    none; `hang` has the words of nvml.c for questions that are not answered."""

    gpus: tuple[Gpu, ...] = ()
    seconds: float = 0.0
    init: int = 0
    down: int = 0
    hang: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """As nvml.c reads it."""
        return [
            f"at {self.seconds}",
            f"init {self.init}",
            f"down {self.down}",
            *(f"hang {word}" for word in self.hang),
            *(line for gpu in self.gpus for line in gpu.lines()),
        ]


class FakeNvmlLibrary:
    """The library with a scenario of its own in `folder`.

    Where there is no C compiler it skips the test, and fails it when CI is set.
    """

    def __init__(self, folder: Path) -> None:
        self._scenario = folder / "nvml.scenario"
        self.environment = {"LD_LIBRARY_PATH": str(library_folder()), "FAKE_NVML_SCENARIO": str(self._scenario)}
        """For the processes that are to use it."""

    def follows(self, *steps: Step) -> None:
        """From now on the scenario is made of these steps, in order of time."""
        draft = self._scenario.with_suffix(".draft")
        draft.write_text("".join(f"{line}\n" for step in steps for line in step.lines()))
        draft.replace(self._scenario)

    def shows(self, *gpus: Gpu) -> None:
        """From now on NVML works, and has these GPUs."""
        self.follows(Step(gpus))


@functools.cache
def library_folder() -> Path:
    """A folder with the library, made once by the system's compiler and gone at the end of the process."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        # What is skipped where everything is to be tried has not been tried at all.
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no C compiler (cc, gcc, clang) to make the stand-in for {LIBRARY}")
    folder = tempfile.mkdtemp(prefix="fake-nvml-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    flags = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run([compiler, *flags, "-o", f"{folder}/{LIBRARY}", SOURCE], check=True)
    return Path(folder)
