"""The command line `councilor`, also `kubectl councilor`: Councilors for people at a terminal and for scripts.

It talks to the API server with the kubeconfig of whoever types, and never to the operator: what it shows is what the
operator wrote into the statuses, what it changes is what the operator heeds. `preview`, `validate`, `new`
and `import` need no cluster; they use the operator's own rules.
"""
