"""What other threads leave for the launcher's, and how it notices."""

from __future__ import annotations

import select
import threading

from virnucpro_bus.system.inbox import Inbox


def has_input(inbox: Inbox[int]) -> bool:
    return bool(select.select([inbox.fileno()], [], [], 0)[0])


def test_an_inbox_is_readable_while_it_holds_something() -> None:
    inbox: Inbox[int] = Inbox()
    assert not has_input(inbox)
    inbox.put(1)
    inbox.put(2)
    assert has_input(inbox)
    assert inbox.take() == [1, 2]
    assert not has_input(inbox)
    assert inbox.take() == []
    inbox.close()


def test_nothing_is_lost_that_several_threads_put_at_the_same_time() -> None:
    inbox: Inbox[int] = Inbox()

    def fill() -> None:
        for at in range(1_000):
            inbox.put(at)

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    while len(taken) < 4_000:
        select.select([inbox.fileno()], [], [])
        taken += inbox.take()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted([*range(1_000)] * 4)
    inbox.close()


def test_what_is_put_into_a_closed_inbox_harms_nobody() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.close()
    inbox.close()
    inbox.put(1)
