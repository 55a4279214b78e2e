"""VirNucPro whole: which sequences are viral, by six frames, two embeddings of each and a classifier.

Start with `description.py`, which is all that is known of the job before a run, with `settings.py` and
`classifier_file.py`; `job.py` is the job. May import the jobs' readers, sixframe and embedding. `job.py` and
`classifier.py` import torch, so workers alone import them.
"""
