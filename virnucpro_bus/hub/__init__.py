"""The hub: checks every frame, appends it to the capture and forwards it to all viewers.

`hub.py` is that one loop; `admission.py` keeps out what other programs may not publish on the bus of a run;
`bus_server.py` is a hub with everything around it (lock, capture, bus.json, sampler); `run_fold.py` keeps the fold
of a launched run, of which its summary is made. Without a launcher, `own_run.py` makes of workers' plans a run,
`worker_names.py` gives each worker a device of its own, and `past_hub.py` knows the hub before, which is
continued. May import history, timeline, capture, publish and what they import. Start with `hub.py`.
"""
