"""The commit: a file's results become part of the run exactly once, and survive a power failure.

`committer.py` has the order of steps (rename, sync, journal, answer); `result_store.py` is the results folder;
`placement.py` lists the names of results and carries them in events; `manifest.py` measures and digests them. May
import coordinator. Start with `committer.py`.
"""
