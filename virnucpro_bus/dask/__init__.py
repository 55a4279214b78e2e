"""Dask: the events of workers in a Dask cluster, over the connections that Dask has already.

`topic.py` carries frames from a worker to a client. Without Dask the import of this wing fails
(`requirement.py`). May import distributed, which no other wing of virnucpro_bus may, and hub, publish and what is
below them. Start with `topic.py`.
"""

from virnucpro_bus.dask import requirement as requirement
