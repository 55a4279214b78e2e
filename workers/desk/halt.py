"""The option --halt, as GNU parallel has it: a run ends early for what has become of its files. Pure.

WHEN,WHY=VALUE, or never. A file counts once, after its last attempt, and only those of this session count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible

_CONDITION = r"(soon|now),(fail|success|done)=([0-9]{1,9})(%?)"
_FORM = "expected never, or WHEN,WHY=VALUE, such as soon,fail=3 or now,success=10%"


class When(Enum):
    """When a run ends whose condition is met."""

    NEVER = "never"
    """It has no condition, and does not end because its first files fail alike either."""
    SOON = "soon"
    """After the files in progress."""
    NOW = "now"
    """At once: the files in progress are stopped, and stay pending."""


class Why(Enum):
    """Which files are counted."""

    FAIL = "fail"
    SUCCESS = "success"
    DONE = "done"
    """Those that have failed, and those that are completed."""


_HAS = {Why.FAIL: "has failed", Why.SUCCESS: "is completed", Why.DONE: "is completed or has failed"}
_HAVE = {Why.FAIL: "have failed", Why.SUCCESS: "are completed", Why.DONE: "are completed or have failed"}


@dataclass(frozen=True)
class Halt:
    """When to end a run early."""

    option: str
    """As the user has given it."""
    when: When
    why: Why = Why.FAIL
    value: int = 0
    """So many files …"""
    is_percent: bool = False
    """… or so many percent of the files that the session began with."""

    def reason(self, completed: int, failed: int, total: int) -> str | None:
        """Return why the run ends with so many files completed and failed of `total`; None: it goes on."""
        if self.when is When.NEVER:
            return None
        count = {Why.FAIL: failed, Why.SUCCESS: completed, Why.DONE: completed + failed}[self.why]
        is_met = count * 100 >= self.value * total if self.is_percent else count >= self.value
        became = _HAS[self.why] if count == 1 else _HAVE[self.why]
        return f"{count} of {total} files {became} ({self.option})" if count and is_met else None


def parse_halt(text: str) -> Halt:
    """Return what `text` demands. Raises UserError."""
    option = f"--halt {text}"
    if text == When.NEVER.value:
        return Halt(option, When.NEVER)
    match = re.fullmatch(_CONDITION, text)
    if match is None:
        raise UserError(f"'{visible(text)}': {_FORM}")
    value, is_percent = int(match[3]), bool(match[4])
    if value < 1 or (is_percent and value > 100):
        raise UserError(f"'{text}': the value must be at least 1, and a percentage at most 100")
    return Halt(option, When(match[1]), Why(match[2]), value, is_percent)


def choose_halt(halt: Halt | None, max_failures: int | None) -> Halt | None:
    """Return what --halt or --max-failures demands; None: neither is given. Raises UserError if both are."""
    if max_failures is None:
        return halt
    if halt is not None:
        raise UserError("--max-failures N is short for --halt soon,fail=N: give one of them")
    return Halt(f"--max-failures {max_failures}", When.SOON, Why.FAIL, max_failures)
