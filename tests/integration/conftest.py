"""Fixtures of the integration tests: the control plane and the operator; servers come from the tests' top level."""

from tests.controlplane.fixtures import api, control_plane, kubeconfig, namespace, operator_process

__all__ = ["api", "control_plane", "kubeconfig", "namespace", "operator_process"]
