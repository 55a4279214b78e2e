"""Prometheus: the figures of runs as metrics, and what Prometheus and Grafana need to use them.

`run_metrics.py` and `device_metrics.py` are the tables of all metrics. Names, labels and units are a promise,
pinned by a golden file and explained in docs/prometheus.md. `exposition.py` makes of them what a scrape gets, and
`textfile.py` a file for node_exporter. `panels.py` and `dashboard.py` make the Grafana dashboard; `alerts.yml` is
the file of alert rules. Imports nothing else of this package. Start with `metric.py`.
"""
