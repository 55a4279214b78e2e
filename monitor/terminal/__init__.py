"""The terminal: taken, drawn to in one write a picture, and always given back.

`session.py` takes it and gives it back, `screen.py` draws, `keys.py` and `navigation.py` are what is typed and
what it does. May import view and model. Start with `session.py`.
"""
