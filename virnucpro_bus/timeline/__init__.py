"""What happened in a recorded run, and when: attempts, steals, loading, samples, pending files.

The fold keeps the state of a moment, this wing the whole course. `recorder.py` observes the events that a fold
accepts, so a capture is read once for both, and `assembly.py` makes the timeline of them; `renaming.py` calls its
devices as the fold does in the end, `attempt_figures.py` finds what a GPU did during an attempt, `ended_run.py` is
what the summary of a run needs. Start with `timeline.py`. Pure: no I/O, no clock. May import the fold and what is
below it.
"""
