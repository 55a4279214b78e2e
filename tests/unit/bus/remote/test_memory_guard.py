"""When the memory counts as filled by the other end."""

from __future__ import annotations

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.remote.memory_guard import MAX_GROWTH_BYTES, MemoryGuard


class Grown:
    """A process that has grown to some size."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.clock = ManualClock()
        self.guard = MemoryGuard(self.clock, lambda: self.size_bytes)

    def check(self) -> bool:
        """Whether the limit is exceeded at the next measurement."""
        self.clock.advance(1.0)
        return self.guard.is_exceeded()


def test_a_process_that_grows_too_far_exceeds_its_limit_once() -> None:
    process = Grown(1 << 30)
    process.size_bytes += MAX_GROWTH_BYTES
    assert not process.check()
    process.size_bytes += 1
    assert [process.check() for _ in range(3)] == [True, False, False]


def test_what_remains_after_closing_is_where_it_counts_from() -> None:
    process = Grown(1 << 20)
    for _ in range(3):
        process.size_bytes += MAX_GROWTH_BYTES + 1
        assert [process.check(), process.check()] == [True, False]
    process.size_bytes -= MAX_GROWTH_BYTES
    assert not process.check()


def test_between_two_measurements_nothing_is_measured() -> None:
    process = Grown(1 << 20)
    process.size_bytes += MAX_GROWTH_BYTES + 1
    assert not process.guard.is_exceeded()
    assert process.check()
