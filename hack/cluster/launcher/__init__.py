"""The launcher of the project's local Kubernetes cluster; `hack/cluster/README.md` is the user's side of it.

Bottom to top: `progress` (words and errors), `build` and `packages` (what must be on the machine), `state` and
`processes` (what is remembered, what runs), `credentials`, `api`, `controlplane`, `firewall`, `network`, `dns`,
`image`, `node` (what a cluster is made of), `remains` (what it leaves and must go), then one module for each kind of
cluster: `local`, `kind`, `current`, and `cli` on top. Standard library only: it runs before anything is installed.
"""
