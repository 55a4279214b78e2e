"""History: how a viewer that joins late gets what was said before it came.

A client asks hello, snapshot or read; the server answers from a capture and from a fold that it keeps up to date.
`protocol.py` is what both ends send. May import fold and capture. Start with `protocol.py`.
"""
