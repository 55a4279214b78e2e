"""Sources: where a fold gets its events from, a live bus or a capture, behind one protocol.

`subscriber.py` is the live bus of this machine, `capture_tail.py` the growing capture of a run that cannot be
reached, `replay.py` a capture at its own pace; `live.py` and `playback.py` feed a fold from them, and
`file_table.py` makes the exact table of a capture's files. May import hub, remote, history, fold and what they
import. Start with `protocol.py`.
"""
