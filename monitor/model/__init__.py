"""The view model: what a picture shows, as plain data, before anything is drawn.

`collector.py` asks the sources and makes the `view_model.py`; `health.py` finds what is wrong; `selection.py` and
`paging.py` choose the rows. Pure: no terminal, no I/O. Start with `view_model.py`.
"""
