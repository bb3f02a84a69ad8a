"""The sync: councilors that Conductor keeps in MongoDB, and Councilors in one namespace, kept equal.

A process of its own (`councilor-operator sync`). A round gathers (`source`, `target`), decides (`translation`, `plan`,
`guard`: pure), applies (`target`) and reports. It is the same round whatever asked for it: a change stream, a poll, a
watch event, the clock. The rest of the operator knows nothing of it but a label and a few annotations.
"""
