"""The live page: a fleet served over HTTP, read only, for browsers and for programs that collect metrics.

`listener.py` opens it and closes it. `server.py` accepts connections, and `handler.py` answers one request each,
if `access.py`, a pure function, allows it. `feed.py` has the figures made once an interval for all viewers;
`figures.py`, pure too, says what they are; `page.py` and `assets/` show them. May import view, model and
prometheus. Start with `access.py`.
"""
