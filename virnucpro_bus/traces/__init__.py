"""Recorded runs as traces, for Perfetto and other trace viewers (docs/traces.md).

`layout.py` turns timelines into rows: a host with its devices, and for each device its files, counters and arrows.
`chrome_trace.py` and `perfetto_trace.py` write the rows in one format each, and decide nothing. Start with
`rows.py`. Pure but for the writers' import of a library. May import the exporters' interface, sources of
recordings, the timeline and what is below.
"""
