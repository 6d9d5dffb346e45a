"""The methods of the benchmark beyond the domain: one protocol, one method a file.

Those in ``judging`` are given a model that is trained. Methods that train models of their own on
rows of numbers, for the benchmark of regression, are in `ltau.comparison`.
"""
