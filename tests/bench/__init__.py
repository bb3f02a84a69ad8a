"""The benchmark: the operator with 1,000 and 5,000 Councilors against a real control plane, the runner run by run
against a real MongoDB and the stub Conductor, the sync with 100 and 5,000 documents between both; all as real
processes.

Absolute times say little about a machine that others share, so every time is set against a floor that is measured in
the same run: for the operator the requests that any operator would have to make, sent by a client that does nothing
else; for the runner a script that makes the same calls with the same libraries; for the sync the same creates, and
reading the same documents. Run with `python -m tests.bench`.
"""
