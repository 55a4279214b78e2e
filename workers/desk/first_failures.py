"""Whether the first files of a run fail alike, so that every file would: then the run ends. Pure.

A dozen different files are too many to be bad by chance, and few enough to be tried. But devices begin with the
longest files, which may fail because they are long. So once all but one of the dozen have failed alike, the
shortest pending file is tried, and decides.
"""

from __future__ import annotations

from workers.desk.failure_kind import may_be_of_size

FIRST_FILES = 12
"""So many different files must fail alike, before any is completed."""
_MOST_FILES = 10 * FIRST_FILES
"""After so many that failed in different ways they are no longer the first ones."""


class FirstFailures:
    """Watches how the first files of a run end, until one is completed."""

    def __init__(self, *, is_over: bool) -> None:
        """`is_over`: a file was completed in an earlier session, or the run is to try all files in any case."""
        self.is_decided = False
        """Whether the run ends, because its first files have failed alike."""
        self._is_over = is_over
        self._files: dict[str, set[str]] = {}
        """By kind of failure: the files that have failed so."""
        self._devices: dict[str, str] = {}
        """By file that has failed for good: the device that it has failed on."""
        self._shortest: str | None = None
        """The file that was tried although longer ones were pending."""
        self._has_begun_all = False

    @property
    def wants_shortest(self) -> bool:
        """Whether a device that gets a file is to try the shortest one of its queue."""
        if self._is_over or self._has_begun_all or self._shortest is not None:
            return False
        return max(map(len, self._files.values()), default=0) >= FIRST_FILES - 1

    def begin_shortest(self, file: str | None) -> None:
        """Note that the shortest file was begun; None: no file is pending that was not begun."""
        self._shortest, self._has_begun_all = file, file is None

    def complete(self) -> None:
        """Note that a file was completed: not all of them fail."""
        self._is_over = True
        self._files.clear()
        self._devices.clear()

    def fail(self, device: str, file: str, reason: str, kind: str, *, for_good: bool) -> bool:
        """Note that an attempt at a file has failed on a device; return whether that decides, once.

        A failure that may be due to the size of the file does not count.
        """
        if self._is_over or may_be_of_size(reason):
            return False
        alike = self._files.setdefault(kind, set())
        alike.add(file)
        if for_good:
            self._devices[file] = device
        if len(alike) >= FIRST_FILES and (self._has_begun_all or self._shortest in alike):
            self._devices = {each: at for each, at in self._devices.items() if each in alike}
            self.is_decided = self._is_over = True
        elif sum(map(len, self._files.values())) >= _MOST_FILES:
            self.complete()
        return self.is_decided

    def failed_for_good(self) -> dict[str, str]:
        """Return those of the files that failed alike which are not tried again, each with the device."""
        return dict(self._devices)
