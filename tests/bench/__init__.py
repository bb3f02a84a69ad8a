"""The benchmark: the operator as a real process against a real control plane, with 1,000 and 5,000 Councilors.

Absolute times say little about a machine that others share, so every time is set against a floor that is measured in
the same run: the requests that any operator would have to make, sent by a client that does nothing else. Run with
`python -m tests.bench`.
"""
