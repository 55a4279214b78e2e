"""The terminal: taken over, drawn to in one write per picture, and always given back.

`output.py` shows a dashboard, on a terminal by `pictures.py`, for which `session.py` takes the terminal over and
gives it back. `screen.py` draws, with rich's Live, in the thread of `screen_thread.py`; `keys.py` and
`navigation.py` are what is typed and what it does; `line_rhythm.py` is when a plain line is due. May import
screens, view and model. Start with `output.py`.
"""
