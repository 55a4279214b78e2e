"""Whether a machine has an NVIDIA GPU, on folders that stand for what kernels show."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.gpu.hardware import has_nvidia_gpu


def on_pci(root: Path, **devices: str) -> None:
    """Each device as "vendor class", in hexadecimal digits as the kernel writes them."""
    for slot, ids in devices.items():
        folder = root / "sys/bus/pci/devices" / slot
        folder.mkdir(parents=True)
        for name, value in zip(("vendor", "class"), ids.split(), strict=True):
            (folder / name).write_text(f"0x{value}\n")


@pytest.mark.parametrize("kind", ["030000", "030200"], ids=["VGA controller", "3D controller"])
def test_a_gpu_on_the_pci_bus_is_one_without_any_driver(tmp_path: Path, kind: str) -> None:
    on_pci(tmp_path, a="8086 060000", b=f"10de {kind}")
    assert has_nvidia_gpu(tmp_path) is True


@pytest.mark.parametrize("ids", ["10de 040300", "10de 020000", "1002 030000"])
def test_sound_network_and_other_makers_displays_are_none(tmp_path: Path, ids: str) -> None:
    on_pci(tmp_path, a=ids)
    assert has_nvidia_gpu(tmp_path) is False


@pytest.mark.parametrize("sign", ["proc/driver/nvidia", "dev/nvidiactl", "dev/dxg", "dev/nvhost-gpu", "dev/nvgpu"])
def test_a_gpu_that_is_not_on_pci_shows_by_its_device_file(tmp_path: Path, sign: str) -> None:
    on_pci(tmp_path, a="8086 060000")
    (tmp_path / sign).mkdir(parents=True)
    assert has_nvidia_gpu(tmp_path) is True


def test_where_no_bus_can_be_seen_it_is_unknown(tmp_path: Path) -> None:
    assert has_nvidia_gpu(tmp_path) is None


def test_where_a_device_cannot_be_read_it_is_unknown(tmp_path: Path) -> None:
    on_pci(tmp_path, a="8086 060000")
    (tmp_path / "sys/bus/pci/devices/a/vendor").unlink()
    assert has_nvidia_gpu(tmp_path) is None
