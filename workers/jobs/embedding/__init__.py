"""Embeddings: one vector for each sequence of a file, by a language model in a local folder.

Start with `description.py`, which is all that is known of the job before a run; `embedder.py` is a loaded model.
May import the jobs' readers and inputs. Its modules import torch, so workers alone import them, but for the
description.
"""
