"""The demo: a cluster, Conductor, MongoDB, operator and sync on one machine, with Councilors that really run.

`__main__` reads the command line, `demo` decides what happens from start to end, `assembly` in which order things are
started; the other modules do one part each:

    commands        programs of this machine            services      mongod and the stub Conductor
    cluster         the cluster, kubectl and Helm        manifests     the chart's values, other objects; pure
    images          the project's own images             installation  the release, into the cluster and out of it
    state           what is remembered on disk           observation   what Councilors do, as it happens
    records         what runs left in MongoDB            presentation  what the person at the terminal reads
    promotion       councilors made in Conductor

The end-to-end tests use the same parts, with a state folder and an instance name of their own.
"""
