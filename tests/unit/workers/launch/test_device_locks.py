"""The locks on GPUs: one run for each GPU, and no lock outlives its process."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from virnucpro_bus.device_keys import join_gpus, share
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from workers.launch.device_locks import DeviceLocks, locks_folder

A, B = Device("GPU-a", "A100", 0), Device("GPU-b", "A100", 1)
HOLDER = """
import sys
import tempfile
from virnucpro_bus.events import Device
from workers.launch.device_locks import DeviceLocks
with DeviceLocks([Device(key) for key in sys.argv[1:]]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def holder(*keys: str) -> subprocess.Popen[str]:
    """Start another process and wait until it holds these devices."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *keys], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_gpu_that_another_process_holds_is_refused_with_its_pid() -> None:
    other = holder("GPU-b")
    with pytest.raises(
        UserError, match=rf"^GPU 1 \(GPU-b\) is in use by another run \(pid {other.pid}\): .*--devices"
    ):
        DeviceLocks([A, B]).__enter__()
    end(other)


def test_a_process_that_is_refused_one_gpu_holds_none() -> None:
    other = holder("GPU-b")
    with pytest.raises(UserError):
        DeviceLocks([A, B]).__enter__()
    with DeviceLocks([A]):
        pass
    end(other)


def test_a_killed_process_holds_no_lock() -> None:
    end(holder("GPU-a"))
    with DeviceLocks([A]):
        pass


def test_a_gpu_is_free_again_afterwards() -> None:
    with DeviceLocks([A, B]):
        pass
    end(holder("GPU-a", "GPU-b"))


def test_cpus_are_shared_and_leave_no_file(runtime: Path) -> None:
    with DeviceLocks([Device("cpu:0")]), DeviceLocks([Device("cpu:0")]):
        assert list(runtime.iterdir()) == []


def test_children_do_not_inherit_the_lock() -> None:
    with DeviceLocks([A]):
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
    with DeviceLocks([A]):
        pass
    child.kill()
    child.wait()


def test_the_folder_of_the_locks_is_private_and_a_key_is_not_used_as_a_path(runtime: Path) -> None:
    with DeviceLocks([Device("../../GPU x")]):
        (lock,) = locks_folder().iterdir()
    assert lock.name == "..%2F..%2FGPU%20x.lock"
    for path in (lock.parent, lock.parent.parent):
        assert path.stat().st_mode & 0o777 == 0o700
    assert lock.stat().st_uid == os.getuid()


def test_a_folder_that_cannot_be_created_is_a_user_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    with pytest.raises(UserError, match="set XDG_RUNTIME_DIR"):
        DeviceLocks([A]).__enter__()


def test_where_the_file_system_has_no_locks_a_notice_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with DeviceLocks([A]):
        assert "the file system has no locks, so another run may use the same GPUs" in capsys.readouterr().err


def test_where_no_temporary_folder_can_be_written_a_notice_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with DeviceLocks([A]):
        assert "no folder for temporary files can be written, so another run may use" in capsys.readouterr().err


def test_each_gpu_of_shared_and_joined_devices_is_locked_once() -> None:
    with DeviceLocks([*share(A, 2), join_gpus([B, Device("GPU-c", "A100", 2)])]):
        assert sorted(path.name for path in locks_folder().iterdir()) == [f"GPU-{name}.lock" for name in "abc"]


def test_a_gpu_of_a_joined_device_that_another_process_holds_is_refused_by_its_own_name() -> None:
    other = holder("GPU-b#1")
    with pytest.raises(UserError, match=r"^GPU 0\+1 \(GPU-b\) is in use by another run"):
        DeviceLocks([join_gpus([A, B])]).__enter__()
    end(other)
