"""The hub: checks every frame, appends it to the capture, forwards it to all viewers.

`hub.py` is that one step; `bus_server.py` is a hub with everything around it (lock, capture, bus.json, sampler).
May import history, capture, publish and what they import. Start with `hub.py`.
"""
