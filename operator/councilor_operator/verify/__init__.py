"""`councilor-operator verify`: proves an installation from the Councilor to the record of its run. `helm test` starts
it.

    config     what it is told               findings   what the cluster shows, judged; pure
    trial      the Councilor it makes, pure  command    makes it, waits, says what came of it, deletes it

It looks at a cluster as a person with kubectl does: through the Councilor's status and its Pods. What it proves is what
everybody else relies on.
"""
