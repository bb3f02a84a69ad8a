"""The runner: one execution of one councilor, started by a Kubernetes Job."""
