"""The views: pure functions from the view model to styled lines.

`frame.py` divides the lines of a screen among header, table, history, problems and steals; `useful_columns.py`
says which columns the table has, `columns.py` which fit; `plain_line.py` is the one-line form for pipes and logs.
May import model. Start with `frame.py`.
"""
