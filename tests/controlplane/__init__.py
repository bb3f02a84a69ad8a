"""A real control plane (API server, controller-manager, etcd) and the operator as a real process, for integration
tests.

There is no node: Jobs get their Pods from the real Job controller, and `pods.py` writes into their status what a
kubelet would.
"""
