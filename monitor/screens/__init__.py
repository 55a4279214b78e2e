"""The screens that keys open beside the overview: pure functions from the view model to styled lines.

`screen.py` draws the one that is wanted; `help.py`, `device.py`, `files.py`, `logs.py` and `effect.py` make the
lines of one each, with the small tables of `columns.py`. What comes from an event or a log passes through
`visible`. May import view and model. Start with `screen.py`.
"""
