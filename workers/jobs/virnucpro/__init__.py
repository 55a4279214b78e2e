"""VirNucPro whole: which sequences are viral, by six frames, two embeddings of each and a classifier.

Start with `description.py`. May import the jobs' readers, sixframe and embedding.
"""
