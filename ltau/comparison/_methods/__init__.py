"""The methods that come with ltau, one per file.

Settings were fixed beforehand, not tuned on test rows of the benchmark. What a method spends on
held-out rows, further models or further passes shows in its accuracy and in its cost.
"""
