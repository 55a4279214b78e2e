"""The view model: what a dashboard shows, as plain data, before anything is drawn.

`collector.py` asks the sources (`sources.py`), whose answers `answers.py` reads field by field, and builds a
`ViewModel` (`view_model.py`), with the problems that the bus's wing of health finds; `trends.py` and `history.py`
keep earlier samples; `selection.py` and `paging.py` choose the screen and the rows. Pure: no terminal, no I/O.
Start with `view_model.py`.
"""
