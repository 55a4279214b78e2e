"""The commit: a file's results become part of the run exactly once, and stay after a power failure.

`committer.py` has the order of steps (rename, sync, journal, answer); `result_store.py` places files;
`manifest.py` is the digest of what an attempt left. May import coordinator. Start with `committer.py`.
"""
