"""From nothing to operator and sync at work: what is started at the same time, and what waits for what."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import images, installation
from .cluster import Cluster
from .commands import Commands
from .images import Images
from .manifests import Installation, Scope
from .progress import step
from .services import Services


def assemble(
    commands: Commands,
    cluster: Cluster,
    scope: Scope,
    *,
    ready_made: Images | None,
    serve: Callable[[str], Services],
    default_cwd: str = "",
) -> Installation:
    """Starts the cluster, builds the images unless they are `ready_made`, installs operator and sync; what was
    installed.

    `serve` starts Conductor and MongoDB at the address it is given, in a thread. The cluster is `commands`' own.
    Raises DemoError; the caller removes what was begun.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            choosing = pool.submit(_chosen, commands, ready_made)
            with step(f"starting the cluster (CLUSTER={cluster.kind})"):
                cluster.up()
            serving = pool.submit(_served, serve, cluster.host_address())
            installation.prepare(cluster, scope)
            chosen = choosing.result()
            if chosen.archives:
                with step("putting the images into the cluster"):
                    cluster.load_images(chosen.archives)
            services = serving.result()
        except BaseException:
            # Leaving the block waits for the threads, and they for their programs.
            commands.interrupt()
            raise
    assembled = Installation(
        scope=scope,
        operator_image=chosen.operator,
        runner_image=chosen.runner,
        conductor_url=services.conductor_url,
        gateway_url=services.gateway_url,
        mongodb_uri=services.mongodb_uri,
        default_cwd=default_cwd,
    )
    with step("installing operator and sync"):
        installation.install(cluster, assembled)
    return assembled


def _chosen(commands: Commands, ready_made: Images | None) -> Images:
    if ready_made is not None:
        return ready_made
    with step("building the images"):
        return images.build(commands)


def _served(serve: Callable[[str], Services], address: str) -> Services:
    with step("starting MongoDB and Conductor"):
        return serve(address)
