"""End to end: the project's own images on a real kubelet, a genuine MongoDB, a stub Conductor over real HTTP."""
