"""What builds images from the Dockerfile: Docker where its daemon answers, else buildah with a storage of its own."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from . import base, packages
from .inputs import ROOT
from .progress import BuildError, answer, hand_over, run, say, step

Name = Literal["docker", "buildah"]

INPUTS_LABEL = "community.conductor.inputs"
"""Label with the content hash of what the image was made of; tells under any tag whether an image is current."""
REPRODUCIBLE_TIME = "315532800"
"""1980-01-01, the earliest time a zip file knows: fixed, so that equal files give equal layers on any day."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Image:
    """An image to build. `context` is the folder it is built from, `reference` is `name:tag` as a Pod spec has it."""

    context: Path
    target: str
    reference: str
    version: str
    revision: str
    inputs: str


class Engine(Protocol):
    """What the command needs from Docker or buildah."""

    def prepare(self) -> None:
        """Makes the engine ready. Raises BuildError."""

    def current(self, image: Image) -> str | None:
        """Hex digits of the built image's id if it was made of the same inputs, else None."""

    def build(self, image: Image) -> None:
        """Builds the image under its reference. Raises BuildError."""

    def save(self, image: Image, archive: Path) -> None:
        """Writes the image as docker-archive. Raises BuildError."""


def choose(asked: Literal["auto", "docker", "buildah"], base_image: str | None, cache: Path) -> Engine:
    """The engine to use. Raises BuildError when Docker was asked for and does not answer."""
    # Some clients call it a success that only they themselves are there; the daemon's version is then empty.
    if asked != "buildah" and answer(["docker", "info", "--format", "{{.ServerVersion}}"]):
        return Docker(base_image)
    if asked == "docker":
        raise BuildError("no daemon answers `docker info`. Start Docker, or build without it: --engine buildah")
    return Buildah(base_image, cache)


class Docker:
    """Docker with BuildKit; images stay in the daemon, where `docker run` finds them."""

    def __init__(self, base_image: str | None) -> None:
        self._base_image = base_image

    def prepare(self) -> None:
        pass

    def current(self, image: Image) -> str | None:
        template = f'{{{{.Id}}}} {{{{index .Config.Labels "{INPUTS_LABEL}"}}}}'
        return _current(answer(["docker", "image", "inspect", "--format", template, image.reference]), image)

    def build(self, image: Image) -> None:
        # Proxies: Docker takes these build arguments from the environment and keeps them out of the image.
        proxies = [f"--build-arg={name}" for name in _proxies()]
        time = f"--build-arg=SOURCE_DATE_EPOCH={_time()}"
        command = ["docker", "build", *_arguments(image, self._base_image), time, *proxies]
        hand_over([*command, f"--tag={image.reference}", str(image.context)], {**os.environ, "DOCKER_BUILDKIT": "1"})

    def save(self, image: Image, archive: Path) -> None:
        run(["docker", "save", f"--output={archive}", image.reference])


class Buildah:
    """buildah as root, without a daemon. Everything is in the cache folder: the user's own images are untouched."""

    def __init__(self, base_image: str | None, cache: Path) -> None:
        self._base_image = base_image
        self._cache = cache

    @cached_property
    def _environment(self) -> dict[str, str]:
        # Its TMPDIR is also where buildah keeps the Dockerfile's cache mounts.
        return {**os.environ, "TMPDIR": str(self._cache / "tmp"), "SOURCE_DATE_EPOCH": _time()}

    @cached_property
    def _buildah(self) -> list[str]:
        """The command with its storage: overlay, or plain copies (vfs) where the file system can't be overlaid."""
        (self._cache / "tmp").mkdir(parents=True, exist_ok=True)
        for driver in ("overlay", "vfs"):
            storage = self._cache / driver
            # What is mounted must be forgotten when the machine restarts, so it is noted in /run.
            mounts = Path("/run/councilor-operator") / hashlib.sha256(str(storage).encode()).hexdigest()[:12]
            command = ["buildah", f"--root={storage}", f"--runroot={mounts}", f"--storage-driver={driver}"]
            if answer([*command, "info"], self._environment) is not None:
                if driver == "vfs":
                    say(f"{self._cache} can't be overlaid; every layer is a full copy, in minutes and some GB")
                return command
        raise BuildError(f"buildah can't store images in {self._cache}: `{' '.join(command)} info` tells why")

    def prepare(self) -> None:
        packages.ensure()
        if self._base_image is not None or answer(
            [*self._buildah, "inspect", "--type=image", base.reference()], self._environment
        ):
            return
        with step("making the base image of Debian's packages"), tempfile.TemporaryDirectory(dir=self._cache) as folder:
            archive = Path(folder) / "base.tar"
            run(base.command(archive), self._environment)
            container = answer([*self._buildah, "from", "scratch"], self._environment)
            if container is None:
                raise BuildError(f"`{' '.join(self._buildah)} from scratch` failed")
            try:
                run([*self._buildah, "add", "--quiet", container, str(archive), "/"], self._environment)
                commit = ["commit", "--quiet", f"--timestamp={_time()}", "--identity-label=false"]
                run([*self._buildah, *commit, container, base.reference()], self._environment)
            finally:
                run([*self._buildah, "rm", container], self._environment)

    def current(self, image: Image) -> str | None:
        template = f'{{{{.FromImageID}}}} {{{{index .OCIv1.Config.Labels "{INPUTS_LABEL}"}}}}'
        command = [*self._buildah, "inspect", "--type=image", f"--format={template}", _qualified(image.reference)]
        return _current(answer(command, self._environment), image)

    def build(self, image: Image) -> None:
        command = [*self._buildah, "build", "--layers", f"--timestamp={_time()}", "--identity-label=false"]
        # Steps run in a plain chroot, which asks neither for cgroups nor for a network of its own.
        command += ["--isolation=chroot", *_arguments(image, self._base_image or base.reference())]
        if self._base_image is None:
            command.append("--pull-never")
        run([*command, f"--tag={_qualified(image.reference)}", str(image.context)], self._environment)

    def save(self, image: Image, archive: Path) -> None:
        name = _qualified(image.reference)
        run([*self._buildah, "push", "--quiet", name, f"docker-archive:{archive}:{name}"], self._environment)


def _qualified(reference: str) -> str:
    """The name in full. Left to itself buildah says `localhost/…`, while Kubernetes completes short names this way."""
    return f"docker.io/library/{reference}"


def _current(found: str | None, image: Image) -> str | None:
    """Reads `<id> <inputs>` as the engines print it."""
    identity, _, inputs = (found or "").partition(" ")
    return identity.removeprefix("sha256:") if inputs == image.inputs else None


def _arguments(image: Image, base_image: str | None) -> list[str]:
    """What both engines are told alike."""
    # The Dockerfile makes labels of them: buildah takes an image from its cache although a label of the command line
    # changed.
    given = {"VERSION": image.version, "REVISION": image.revision, "INPUTS": image.inputs}
    if base_image is not None:
        given["PYTHON_IMAGE"] = base_image
    return [
        f"--file={image.context / 'Dockerfile'}",
        f"--target={image.target}",
        *(f"--build-arg={name}={value}" for name, value in given.items()),
        *(f"--secret=id=certificates,src={path}" for path in _certificates()),
    ]


def _certificates() -> list[Path]:
    """The machine's certificate authorities: the file that curl and Python are told of, or Debian's; at most one."""
    named = (os.environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return [path for path in (Path(name) for name in (*named, CERTIFICATES) if name) if path.is_file()][:1]


def _proxies() -> list[str]:
    names = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
    return [name for lower in names for name in (lower, lower.upper()) if os.environ.get(name)]


def _time() -> str:
    return os.environ.get("SOURCE_DATE_EPOCH", REPRODUCIBLE_TIME)


def revision(paths: list[str]) -> str:
    """The commit the images are made of; empty when there is none, or when a file that counts differs from it."""
    if shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(ROOT)]
    changed = answer([*git, "status", "--porcelain", "--", *paths])
    return (answer([*git, "rev-parse", "--verify", "HEAD"]) or "") if changed == "" else ""
