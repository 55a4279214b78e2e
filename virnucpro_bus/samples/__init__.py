"""The samples of a GPU or a process: how they are kept, and what they show of a time, such as that of one file.

`gpu_figures.py` computes load, memory and energy of any time from samples; `gpu_history.py` keeps the samples of
one GPU in a size that does not grow; `process_figures.py` computes what the process of a worker uses. Pure: no
I/O, and no clock. May import events. Start with `gpu_figures.py`.
"""
