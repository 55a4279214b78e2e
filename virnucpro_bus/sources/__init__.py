"""Sources: where a fold gets its events from, a live bus or a capture, behind one protocol.

`subscriber.py` is the live bus of this machine, `capture_tail.py` the growing capture of a run that cannot be
reached, `replay.py` a capture at its own pace; `live.py` and `playback.py` feed a fold from them, `target.py`
gives the events of either, and `recording.py` reads a whole capture, or what `kept_fold.py` has kept of it;
`shards.py` knows which runs belong together. May import hub, remote, history, timeline, fold and what they import.
Start with `protocol.py`.
"""
