"""The mathematics of a prediction, one text for every backend.

Pure functions of arrays; `xp` is the module whose arrays they are, numpy or torch. What is
no formula stands with each backend: searches, averages in blocks, look-ups.
"""
