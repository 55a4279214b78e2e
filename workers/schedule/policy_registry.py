"""Makes the policy of a run, by name."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.errors import UserError
from workers.schedule.cost_policy import Cost
from workers.schedule.policy import OwnQueueOnly, Policy, Threshold


def make_policy(
    name: str, costs: Sequence[int], weights: Sequence[float], steal_interval_seconds: float = 0.0
) -> Policy:
    """A policy for one run. `costs` of the files, biggest first; `weights` of the devices.

    Raises UserError for a name that is not one of POLICIES, and for an interval with a policy that has none.
    """
    if name not in POLICIES:
        raise UserError(f"unknown policy {name!r}: choose one of {', '.join(POLICIES)}")
    if name == "threshold":
        return Threshold(len(weights), steal_interval_seconds)
    if steal_interval_seconds:
        raise UserError(f"a steal interval goes with the policy threshold, not with {name}")
    return OwnQueueOnly() if name == "off" else Cost(costs, weights)


POLICIES = ("off", "threshold", "cost")
DEFAULT_POLICY = "cost"
