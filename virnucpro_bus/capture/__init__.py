"""Captures: files that hold every event of a run as the bytes that were on the wire.

`records.py` is the format on disk and the scanner that finds records in damaged files; `writer.py` appends and
survives a full disk, and `past_records.py` reads what it continues; `reader.py` reads plain, growing and
compressed captures; `compression.py` compresses complete captures; `growth.py` finds out whether more will come;
`recorder.py` records another bus; `info.py` summarizes a capture. May import events and system.
Start with `records.py`.
"""
