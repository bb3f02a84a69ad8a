"""Endurance on a real node: everything keeps running while parts of it are killed, doubled and taken away.

`load` makes Councilors that fire each minute, `faults` is what happens to the installation meanwhile, `witness` notes
every Job that ever was, without the operator. At the end `evidence` gathers what cluster, MongoDB and Conductor hold,
`judgement` compares all of it (pure), and `figures` are the tables.
"""
