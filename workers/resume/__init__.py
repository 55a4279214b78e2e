"""Resuming: what an earlier session of a run has done, and what is left to do.

`journal.py` reads the capture as the run's journal; `resume.py` compares it with inputs and results;
`log_path.py` says which metrics log is the run's own. May import commit and what it imports. Start with
`resume.py`.
"""
