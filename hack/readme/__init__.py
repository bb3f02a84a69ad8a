"""Refreshes the output that README.md shows: `make readme` runs the demo and writes down what it printed.

`page` finds and replaces the marked blocks, `sessions` says what is run for each, `__main__` runs it.
"""
