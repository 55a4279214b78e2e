"""The subcommands `grafana` and `alerts`, which print what Grafana and Prometheus need for our metrics."""

from __future__ import annotations

import json
from importlib.resources import files

import click

from monitor.prometheus.dashboard import dashboard


@click.command
def grafana() -> None:
    """Print a dashboard that Grafana can import, for the metrics that monitor --http serves to Prometheus.

    It shows how the load is spread, whether stealing helps, and what is wrong; run and host are chosen in it.

    \b
    Example:
      virnucpro-bus grafana > virnucpro-bus.json
    """
    click.echo(json.dumps(dashboard(), indent=2))


@click.command
def alerts() -> None:
    """Print alert rules for the metrics that monitor --http serves to Prometheus.

    They report a stalled or lost device, failed files, a device that is idle while files are pending, and lost
    events. All are quiet once the run is over.

    \b
    Example:
      virnucpro-bus alerts > virnucpro-bus-alerts.yml
    """
    click.echo((files("monitor.prometheus") / "alerts.yml").read_text(encoding="utf-8"), nl=False)
