"""Embeddings: one vector for each sequence of a file, by a language model in a local folder.

Start with `description.py`, which is all that is known of the job before a run; `embedder.py` is a loaded model,
and `embed.py` the job. May import the jobs' readers and inputs. What is imported before a run (`description.py`,
`settings.py`, `model_files.py`, `reading.py`) imports no framework; other modules import torch, in workers alone.
"""
