"""Keeps the first visible GPU busy and 1 GiB of its memory taken: fills that again and again, until killed.

Needs the driver's libcuda.so.1 and nothing else. Prints a line when it has begun; where it cannot, it says why
and exits with 1.
"""

from __future__ import annotations

import ctypes
import sys

BYTES = 2**30
FILLS_A_TURN = 200


class Driver:
    """The few functions of the CUDA driver that this takes."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")

    def call(self, function: str, *arguments: object) -> None:
        """Raises RuntimeError with CUDA's code."""
        code = getattr(self._library, function)(*arguments)
        if code:
            raise RuntimeError(f"{function}: CUDA error {code}")


def main() -> None:
    driver = Driver()
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    driver.call("cuInit", 0)
    driver.call("cuDeviceGet", ctypes.byref(device), 0)
    driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    driver.call("cuCtxSetCurrent", context)
    driver.call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(BYTES))
    print("busy", flush=True)
    while True:
        for _ in range(FILLS_A_TURN):
            driver.call("cuMemsetD32Async", memory, ctypes.c_uint(7), ctypes.c_size_t(BYTES // 4), None)
        driver.call("cuCtxSynchronize")


if __name__ == "__main__":
    try:
        main()
    except (OSError, RuntimeError) as why:
        sys.exit(f"no load on a GPU: {why}")
