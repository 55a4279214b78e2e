"""Values that a caller passes to a publisher, made fit for an event: texts are cut, numbers are checked.

Without this an event could leave the publisher that every hub refuses, since an encoder checks no ranges. What has
an obvious meaning is converted (an exception as a reason, a path, a number of another library); the rest raises
ValueError.
"""

from __future__ import annotations

import os

from virnucpro_bus.devices import as_index, device_of
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, REASON_CHARACTERS, Device
from virnucpro_bus.passed_numbers import MAX_SECONDS, as_count, as_seconds, shown


def as_text(text: str) -> str:
    """Return `text` as MessagePack can carry it: surrogates, bytes that were not UTF-8, are written out."""
    return text.encode(errors="backslashreplace").decode()


def as_reason(reason: object) -> str:
    """Return a reason as text, cut to REASON_CHARACTERS: an exception's type and message; None is "unknown"."""
    if reason is None:
        return "unknown"
    text = _text_of(reason)
    if isinstance(reason, BaseException):
        name = type(reason).__name__
        text = f"{name}: {text}" if text else name
    return as_text(text)[:REASON_CHARACTERS]


def as_path(file: object) -> str:
    """Return a path as text. Raises ValueError for what is not a path, or an empty one."""
    try:
        path = os.fsdecode(file)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"file: must be a path, not {shown(file)}") from None
    if not path:
        raise ValueError("file: must be a path, not an empty text")
    return path


def as_file_name(file: object) -> str:
    """Return the base name of a path, as text that an event can carry. Raises ValueError for anything else."""
    if type(file) is str and file.isascii() and len(file) <= REASON_CHARACTERS:
        name = file.rpartition("/")[2]
        if name:
            return name  # nearly always: every event of a file passes here
    path = as_path(file)
    return as_event_name(os.path.basename(path.rstrip("/")) or path)


def as_event_name(name: str) -> str:
    """Return the name of a file, cut to its last REASON_CHARACTERS."""
    return as_text(name)[-REASON_CHARACTERS:]


def as_name(name: str) -> str:
    """Return the name of a device, a source or a run, cut to NAME_CHARACTERS."""
    return as_text(name)[:NAME_CHARACTERS]


def as_device(argument: str, device: object) -> Device:
    """Return the device that a key, a CUDA ordinal or a Device names. Raises ValueError, with `argument`."""
    if isinstance(device, Device) and device.key:
        index = None if device.index is None else as_count(f"{argument}: index", device.index)
        return Device(as_name(device.key), as_name(device.name), index, as_name(device.label))
    if type(device).__module__ == "torch":
        device = str(device)  # torch.device("cuda:1") reads as that; torch itself is not needed here
    if isinstance(device, str) and device:
        return device_of(device)
    index = as_index(device)
    if index is None:
        raise ValueError(f"{argument}: must be a device, its key, or a CUDA ordinal, not {shown(device)!r}")
    return device_of(str(index))


def as_elapsed(number: object) -> float:
    """Return a duration as a float. A negative one, by a clock that was set back, is 0. Raises ValueError."""
    if type(number) is float and 0.0 <= number <= MAX_SECONDS:
        return number  # nearly always: every completion passes here
    return max(0.0, as_seconds("duration_seconds", number, least=-MAX_SECONDS))


def _text_of(value: object) -> str:
    """Return `value` as text; the name of its type when it cannot be converted."""
    try:
        return str(value)
    except Exception:  # a user's own class
        return type(value).__name__
