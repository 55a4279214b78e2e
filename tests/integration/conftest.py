"""What whole runs need: a folder of their own, and the proof that nothing of them is left."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.event_balance import assert_that_the_books_balance
from tests.support.fake_gpu_monitors import A, B, C
from tests.support.fake_nvml import FakeNvmlLibrary
from tests.support.lab import COMMAND, Lab
from tests.support.live_bus import Bus
from tests.support.run_files import REPORTING_COMMAND, USER_JOBS, forty_files, results


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A Lab with the user's jobs in it.

    Afterwards no process and no socket of it may be left, and every report must account for every event.
    """
    shutil.copy(USER_JOBS, tmp_path)
    lab = Lab(tmp_path)
    yield lab
    assert lab.left_behind() == []
    assert_that_the_books_balance(tmp_path)


@pytest.fixture
def bus(lab: Lab) -> Iterator[Bus]:
    """A hub in the lab, without workers."""
    running = Bus(lab)
    yield running
    running.stop()


@pytest.fixture
def nvml(lab: Lab) -> FakeNvmlLibrary:
    """The library that all processes of the lab use."""
    library = FakeNvmlLibrary(lab.folder)
    lab.environment |= library.environment
    # The claims on its GPUs are nobody else's: other tests that run meanwhile have GPUs of the same names.
    lab.environment["XDG_RUNTIME_DIR"] = str(lab.folder)
    lab.environment.pop("CUDA_DEVICE_ORDER", None)
    return library


@pytest.fixture
def watched(nvml: FakeNvmlLibrary, lab: Lab) -> Iterator[Bus]:
    """A hub and its sampler, which find three GPUs."""
    nvml.shows(C, A, B)
    running = Bus(lab)
    yield running
    running.stop()


@pytest.fixture
def keys(lab: Lab) -> str:
    """The public key of this user, who is on the own list of clients."""
    lab.environment["XDG_CONFIG_HOME"] = str(lab.folder / "config")
    made = lab.run("keys", "new")
    key = re.search("[0-9a-f]{64}", made.stdout)
    assert key is not None, made.stderr
    assert lab.run("keys", "allow", key[0], "me").wait() == 0
    return key[0]


@pytest.fixture(scope="session")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 files of uneven size."""
    return forty_files(tmp_path_factory.mktemp("inputs") / "forty")


def run_once(folder: Path, *arguments: str | Path, program: str | Path = COMMAND) -> Path:
    """Run the command in `folder`, for several tests to look at; the run's folder."""
    shutil.copy(USER_JOBS, folder)
    lab = Lab(folder)
    ended = lab.run("run", *arguments, "--out", "out", "--no-dashboard", program=program)
    assert ended.wait() == 0, ended.stderr
    assert lab.left_behind() == []
    assert_that_the_books_balance(folder)
    return folder / "out"


@pytest.fixture(scope="session")
def serial_results(forty: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one single worker makes of the 40 files."""
    run_dir = run_once(tmp_path_factory.mktemp("serial"), forty, "--devices", "cpu:1", "--policy", "off")
    return results(run_dir)


@pytest.fixture(scope="session")
def finished(forty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the 40 files that took about a second; not to be changed.

    Most of the files were given to one of the four devices, so that the others have stolen some. Beside it are
    what the coordinator said at the end, `end.json`, and what the command printed, `command-0.stdout`.
    """
    return run_once(
        tmp_path_factory.mktemp("finished"),
        *(forty, "--devices", "cpu:4", "--weights", "10,1,1,1", "--interval", "0.2", "--job", "user_jobs:slow"),
        program=REPORTING_COMMAND,
    )
