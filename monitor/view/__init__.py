"""The views: pure functions from the view model to styled lines.

`frame.py` divides the lines of a screen among header, table, problems and steals; `plain_line.py` is the one-line
form for pipes and logs. May import model. Start with `frame.py`.
"""
