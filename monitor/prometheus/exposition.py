"""Makes what a scrape of `/metrics` gets: the metrics of a fleet, in the format that the scraper asks for.

Imported when it is first needed: prometheus-client takes as long to load as all else that a monitor needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitor.prometheus.device_metrics import DEVICE_METRICS
from monitor.prometheus.metric import DEVICE_LABELS, RUN_LABELS, Labels, Metric, Of, Run, devices_of
from monitor.prometheus.run_metrics import RUN_METRICS
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.fold.report import Reportable, make_report
from virnucpro_bus.text import visible

SCRAPE_DURATION = "virnucpro_scrape_duration_seconds"
"""The one metric that is neither of a run nor of a device."""
Family = CounterMetricFamily | GaugeMetricFamily | InfoMetricFamily


def exposition(fleet: Reportable, accept: str | None, clock: Clock | None = None) -> tuple[bytes, str]:
    """Return what a scrape of `fleet` gets at this moment, and its content type. Safe to call from any thread.

    `accept` is the header of the request, by which the format is chosen: OpenMetrics where it is asked for, else
    Prometheus text 0.0.4. `clock` measures how long it takes; None: the system's.
    """
    return _encoded(ScrapeCollector(fleet, clock or SystemClock()), accept)


def file_content(fleet: Reportable, accept: str | None) -> bytes:
    """Return the same for a file, where it does not matter how long it took.

    Every series has the label of its run, so that files of several runs can be read together.
    """
    return _encoded(FleetCollector(fleet), accept)[0]


def _encoded(collector: Collector, accept: str | None) -> tuple[bytes, str]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    encode, content_type = choose_encoder(accept or "")
    return encode(registry), content_type


class FleetCollector(Collector):
    """Collects the metrics of a fleet, from one report of each run. A figure that is unknown has no sample."""

    def __init__(self, fleet: Reportable) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Family]:
        """Yield every metric, all of one moment."""
        runs = _by_labels(_runs(self._fleet))
        devices = _by_labels(device for run in runs.values() for device in devices_of(run))
        for of_run in RUN_METRICS:
            yield _family(of_run, RUN_LABELS, runs)
        for of_device in DEVICE_METRICS:
            yield _family(of_device, DEVICE_LABELS, devices)


class ScrapeCollector(FleetCollector):
    """Collects the same, and how long that took."""

    def __init__(self, fleet: Reportable, clock: Clock) -> None:
        super().__init__(fleet)
        self._clock = clock

    def collect(self) -> Iterator[Family]:
        """Yield every metric, and then the time."""
        began_ns = self._clock.mono_ns()
        yield from super().collect()
        seconds = (self._clock.mono_ns() - began_ns) / NANOSECONDS
        yield GaugeMetricFamily(SCRAPE_DURATION, "How long it took to collect these metrics.", value=seconds)


def _runs(fleet: Reportable) -> list[Run]:
    """The runs of a fleet: each with its own report, since some figures of a combined one cannot be told apart."""
    with fleet.frozen():
        reports = {name: make_report(each) for name, each in fleet.fleets().items()}
    return [
        Run(name or next((run["run"] for run in report["runs"]), ""), report) for name, report in reports.items()
    ]


def _by_labels(each: Iterable[Of]) -> dict[Labels, Of]:
    """Each by its labels as they are shown; the last one of those whose names are shown alike.

    A scraper refuses the whole answer where two series have the same labels.
    """
    return {tuple(map(visible, one.labels)): one for one in each}


def _family(metric: Metric[Of], names: Labels, each: Mapping[Labels, Of]) -> Family:
    """One metric with the samples of all runs or devices."""
    family = _empty_family(metric.name, metric.text, (*names, *metric.labels))
    for labels, one in each.items():
        figures = {tuple(map(visible, own_labels)): value for own_labels, value in metric.read(one).items()}
        for own_labels, value in figures.items():
            if value is None:
                continue
            if isinstance(family, InfoMetricFamily):
                family.add_metric((*labels, *own_labels), {})  # all is in its labels; the library adds the 1
            else:
                family.add_metric((*labels, *own_labels), value)
    return family


def _empty_family(name: str, text: str, labels: Labels) -> Family:
    if name.endswith("_info"):
        return InfoMetricFamily(name.removesuffix("_info"), text, labels=labels)
    return (CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily)(name, text, labels=labels)
