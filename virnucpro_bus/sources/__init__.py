"""Sources: where a fold gets its events, live or from a capture, behind one protocol (`protocol.py`).

`subscriber.py` is the live bus of this machine, `replay.py` a capture at its own pace; `live.py` and
`playback.py` keep a fold fed from either. May import hub, remote, history, fold and what they import. Start with
`protocol.py`.
"""
