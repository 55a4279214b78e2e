"""The runs of this user: which there are, how each of them stands, and which one to watch.

`row.py` reads from a run's folder how it stands, `listing.py` finds the folders, `questions.py` asks live runs for
their figures, and `table.py` prints all of them. `this_machine.py` is what is watched until a run begins. Knows no
terminal; may import the bus, and `gpu` and `attach` of this package. Start with `row.py`.
"""
