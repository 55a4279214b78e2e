"""The policies by name, as `--policy` has them."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.errors import UserError
from workers.schedule.policy import ForeignPolicy, Policy, ThresholdPolicy

POLICIES = ("off", "threshold", "cost")
"""Those that decide, and that can be simulated."""
DASK_POLICY = "dask"
"""Dask's own scheduler decides."""
DEFAULT_POLICY = "cost"


def make_policy(
    name: str, costs: Sequence[int], weights: Sequence[float], steal_interval_seconds: float = 0.0
) -> Policy:
    """Make a policy for one run. `costs` are those of the files, biggest first; `weights` those of the devices.

    Raises UserError for a name that is neither one of POLICIES nor DASK_POLICY, and for an interval with another
    than threshold.
    """
    if name not in (*POLICIES, DASK_POLICY):
        raise UserError(f"unknown policy {name!r}: choose one of {', '.join(POLICIES)}")
    if name == "threshold":
        return ThresholdPolicy(len(weights), steal_interval_seconds)
    if steal_interval_seconds:
        raise UserError(f"--steal-interval: works only with the policy threshold, not with {name}; leave it out")
    if name == DASK_POLICY:
        return ForeignPolicy()
    if name == "off":
        return Policy()
    from workers.schedule.cost_policy import CostPolicy  # not for those that need the names alone

    return CostPolicy(costs, weights)
