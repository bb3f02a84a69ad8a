"""The images of operator and runner: built here and put into the cluster, or named by the user."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .commands import ROOT, Commands
from .progress import DemoError

BUILDER = ROOT / "hack" / "images" / "build"
OPERATOR_IMAGE = "OPERATOR_IMAGE"
RUNNER_IMAGE = "RUNNER_IMAGE"
ARCHIVES = ROOT / "dist" / "images"


@dataclass(frozen=True)
class Images:
    """References as a Pod spec has them; `archives` are empty when the cluster can pull the images itself."""

    operator: str
    runner: str
    archives: tuple[Path, ...] = ()


def named(environment: Mapping[str, str], *, cluster: str) -> Images | None:
    """The images the user named in the environment, None when they are to be built.

    Raises DemoError when that cannot work.
    """
    operator, runner = environment.get(OPERATOR_IMAGE), environment.get(RUNNER_IMAGE)
    if operator and runner:
        return Images(operator, runner)
    if operator or runner:
        missing = RUNNER_IMAGE if operator else OPERATOR_IMAGE
        raise DemoError(f"name both images or none: {missing} is not set")
    if cluster == "current":
        raise DemoError(
            "CLUSTER=current: nothing can be loaded into a cluster of unknown make. Build the images (`make images`), "
            "push them to a registry the cluster pulls from, and name them in the environment: "
            f"{OPERATOR_IMAGE}=REGISTRY/councilor-operator:TAG {RUNNER_IMAGE}=REGISTRY/councilor-runner:TAG"
        )
    return None


def build(commands: Commands) -> Images:
    """Builds both images, unless what is there is current."""
    # One line for each image, which begins with its reference.
    _, built = commands.run([BUILDER], shows_progress=True)
    references = [line.split()[0] for line in built.splitlines() if line.strip()]
    by_name = {reference.partition(":")[0]: reference for reference in references}
    try:
        operator, runner = by_name["councilor-operator"], by_name["councilor-runner"]
    except KeyError as error:
        raise DemoError(f"`{BUILDER}` did not report an image {error}") from None
    return Images(operator, runner, (ARCHIVES / "operator.tar", ARCHIVES / "runner.tar"))
