"""The inbox: what other threads have for the launcher's, which waits for it together with its sockets."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A queue with a file descriptor that is readable while it holds something. `put` is for any thread."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        """Held while the descriptor is used or closed: its number may then be another file's."""
        self._is_closed = False

    def fileno(self) -> int:
        """Return the descriptor to wait on for input before `take`."""
        return self._bell

    def put(self, item: Item) -> None:
        """Append an item. Never waits."""
        self._items.append(item)
        with self._lock:
            if not self._is_closed:
                os.eventfd_write(self._bell, 1)

    def take(self) -> list[Item]:
        """Return what has been put, in order."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        return [self._items.popleft() for _ in range(len(self._items))]

    def close(self) -> None:
        """Close the descriptor; what is put afterwards is not read. Safe to call twice."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                os.close(self._bell)
