"""Trials of crashes: the runner is killed, cut off or left without MongoDB at every message it exchanges.

Nothing in the runner helps: a tap between it and its servers counts requests and answers, and strikes at the n-th.
`python -m tests.crashes` (`make trials`) prints the figures.
"""
