"""Whether this machine has an NVIDIA GPU at all, as far as the kernel shows; asks no driver."""

from __future__ import annotations

from pathlib import Path

_SIGNS = ("proc/driver/nvidia", "dev/nvidiactl", "dev/dxg", "dev/nvhost-gpu", "dev/nvgpu")
"""The driver; the GPU of Windows, in its Linux subsystem; the GPUs of Jetson boards, which are not on PCI."""
_NVIDIA = 0x10DE
_DISPLAY_CONTROLLER = 0x03
"""PCI base class: VGA and 3D controllers, as every GPU is one; an NVIDIA network card is not.

https://pci-ids.ucw.cz/read/PD/03
"""


def has_nvidia_gpu(root: Path = Path("/")) -> bool | None:
    """Return whether there is one; None when that cannot be seen, as in a container without /sys."""
    if any((root / sign).exists() for sign in _SIGNS):
        return True
    try:
        devices = list((root / "sys/bus/pci/devices").iterdir())
        return any(
            _number(device / "vendor") == _NVIDIA and _number(device / "class") >> 16 == _DISPLAY_CONTROLLER
            for device in devices
        )
    except (OSError, ValueError):
        return None


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"), 16)
