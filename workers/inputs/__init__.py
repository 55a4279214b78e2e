"""The input files of a run: which they are, their ids, and where their results may go.

All of this is decided before the run starts, so that two inputs can never write to the same path, whatever their
names are and whichever worker takes them. `find.py` finds them: `collector.py` path by path, `folder.py` those in
a folder, of which `selection.py` says which are taken, and `path_list.py` reads a list of paths. `names.py` tells
sequence files by their names; `ids.py` makes ids, and tells whose results a name belongs to; `input_file.py` is
one input and what shows that it is unchanged, `input_files.py` are all of them, and `found_files.py` those that
were found. Imports nothing of the other wings. Start with `input_file.py`.
"""
