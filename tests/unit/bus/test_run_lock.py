"""The lock of a run folder: one holder on all machines, with and without the kernel's locks."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.lab import wait_until
from virnucpro_bus import run_lock
from virnucpro_bus.errors import UserError
from virnucpro_bus.run_lock import (
    PROOF_SECONDS,
    SIGN_SECONDS,
    Evidence,
    RunLock,
    examine_lock,
    refuse_if_held,
    signs_of_life,
)

HERE, THERE = ("here", "boot-1"), ("there", "boot-2")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / ".bus").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "_this_machine", lambda: HERE)


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)


def write_lock(run_dir: Path, machine: tuple[str, str], pid: int = 4321) -> Path:
    """What a process of that machine has left, or still holds with a lock that is not seen here."""
    path = run_dir / ".bus" / "lock"
    path.write_text("\n".join((str(pid), *machine)))
    return path


class Waiting:
    """Counts the seconds that are waited for, and acts meanwhile."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.seconds = 0.0
        self._meanwhile = meanwhile

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        self._meanwhile()


def never(seconds: float) -> None:
    pytest.fail("it waited")


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def test_a_folder_that_is_in_use_is_refused_without_taking_its_lock(run_dir: Path) -> None:
    refuse_if_held(run_dir, never)
    assert not (run_dir / ".bus" / "lock").exists()
    holder = RunLock(run_dir)
    holder.acquire(never)
    with pytest.raises(UserError, match=rf"in use by another run \(pid {os.getpid()}\); choose another folder"):
        refuse_if_held(run_dir, never)
    holder.release()
    path = write_lock(run_dir, THERE)
    refuse_if_held(run_dir, Waiting())
    with pytest.raises(UserError, match=r"in use by another run \(pid 4321 on there\)"):
        refuse_if_held(run_dir, Waiting(lambda: touch(path)))


def test_a_run_of_another_machine_whose_lock_is_touched_is_refused(run_dir: Path) -> None:
    path = write_lock(run_dir, THERE)
    with pytest.raises(UserError, match=r"in use by another run \(pid 4321 on there\); choose another folder"):
        RunLock(run_dir).acquire(Waiting(lambda: touch(path)))
    assert path.read_text().startswith("4321")


def test_a_run_of_another_machine_whose_capture_grows_is_refused(run_dir: Path) -> None:
    write_lock(run_dir, THERE)
    capture = run_dir / "run.vbus"
    capture.touch()
    with pytest.raises(UserError, match="pid 4321 on there"):
        RunLock(run_dir).acquire(Waiting(lambda: capture.write_bytes(b"more")))


@pytest.mark.parametrize("machine", [THERE, ("here", "boot-2"), ("there", "boot-1")])
def test_a_run_of_another_machine_without_a_sign_of_life_is_taken_over(
    run_dir: Path, machine: tuple[str, str]
) -> None:
    write_lock(run_dir, machine)
    waiting, lock = Waiting(), RunLock(run_dir)
    lock.acquire(waiting)
    assert waiting.seconds == pytest.approx(PROOF_SECONDS + 2 * SIGN_SECONDS)
    assert lock.is_enforced
    lock.release()


def test_of_two_that_take_over_the_same_dead_run_the_last_to_write_its_name_wins(run_dir: Path) -> None:
    path = write_lock(run_dir, THERE)

    def third_machine_wins() -> None:
        if path.read_text().startswith(str(os.getpid())):
            write_lock(run_dir, ("third", "boot-3"), 77)

    with pytest.raises(UserError, match=r"pid 77 on third"):
        RunLock(run_dir).acquire(Waiting(third_machine_wins))


def test_what_a_killed_process_of_this_machine_has_left_is_taken_over_at_once(run_dir: Path) -> None:
    write_lock(run_dir, HERE)
    lock = RunLock(run_dir)
    lock.acquire(never)
    lock.release()
    assert list((run_dir / ".bus").iterdir()) == []


def test_a_viewer_that_examines_the_lock_at_that_moment_is_not_in_the_way(run_dir: Path) -> None:
    viewer = os.open(write_lock(run_dir, HERE), os.O_RDONLY)
    fcntl.flock(viewer, fcntl.LOCK_SH)
    lock = RunLock(run_dir)
    lock.acquire(Waiting(lambda: fcntl.flock(viewer, fcntl.LOCK_UN)))
    os.close(viewer)
    lock.release()


def test_a_lock_of_an_earlier_version_has_no_machine_and_is_the_kernels_alone(run_dir: Path) -> None:
    (run_dir / ".bus" / "lock").write_text("4321")
    lock = RunLock(run_dir)
    lock.acquire(never)
    lock.release()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_an_unused_folder_is_taken_at_once_and_the_lock_is_not_enforced(run_dir: Path) -> None:
    lock = RunLock(run_dir)
    lock.acquire(never)
    assert not lock.is_enforced
    lock.release()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_live_run_of_this_machine_is_refused_by_its_signs_of_life(run_dir: Path) -> None:
    path = write_lock(run_dir, HERE)
    with pytest.raises(UserError, match=r"\(pid 4321\)"):
        RunLock(run_dir).acquire(Waiting(lambda: touch(path)))


def test_the_holder_gives_signs_of_life_until_it_releases(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "SIGN_SECONDS", 0.01)
    lock = RunLock(run_dir)
    lock.acquire(never)
    for _ in range(2):
        before = signs_of_life(run_dir)
        wait_until(lambda before=before: signs_of_life(run_dir) != before, "a sign of life")  # type: ignore[misc]
    lock.release()
    assert signs_of_life(run_dir) == []


def test_a_disk_that_is_full_when_the_name_is_written_leaves_no_lock(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run_lock, "write_holder", full)
    with pytest.raises(OSError, match="No space left"):
        RunLock(run_dir).acquire(never)
    assert list((run_dir / ".bus").iterdir()) == []


def test_a_lock_that_can_no_longer_be_removed_is_released_all_the_same(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    lock = RunLock(run_dir)
    lock.acquire(never)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", read_only)
        lock.release()
    again = RunLock(run_dir)
    again.acquire(never)
    again.release()


# What a viewer sees.


def test_the_lock_of_a_live_process_is_held(run_dir: Path) -> None:
    lock = RunLock(run_dir)
    lock.acquire(never)
    evidence, holder = examine_lock(run_dir)
    assert (evidence, holder.pid, holder.is_elsewhere) == (Evidence.HELD, str(os.getpid()), False)
    lock.release()
    assert examine_lock(run_dir)[0] is Evidence.FREE


def test_the_lock_of_another_machine_shows_nothing(run_dir: Path) -> None:
    write_lock(run_dir, THERE)
    assert examine_lock(run_dir)[0] is Evidence.UNKNOWN
    write_lock(run_dir, HERE)
    assert examine_lock(run_dir)[0] is Evidence.FREE


@pytest.mark.usefixtures("no_locks")
def test_where_there_are_no_locks_a_lock_shows_nothing(run_dir: Path) -> None:
    write_lock(run_dir, HERE)
    assert examine_lock(run_dir)[0] is Evidence.UNKNOWN


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)], ids=["pipe", "link"])
def test_something_else_in_place_of_the_lock_is_an_error_and_never_waited_for(
    run_dir: Path, make: Callable[[Path], None]
) -> None:
    make(run_dir / ".bus" / "lock")
    assert examine_lock(run_dir)[0] is Evidence.UNKNOWN
    with pytest.raises(OSError, match=r"Illegal seek|symbolic links"):
        RunLock(run_dir).acquire(never)
