"""The image builder's own logic: what decides a tag, what an archive holds; and what the Dockerfile relies on."""

import ast
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import councilor_operator
from hack.images.builder import archive, base, inputs
from hack.images.builder.inputs import ROOT
from hack.images.builder.progress import BuildError
from tests.bench import container


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    inputs.snapshot(tmp_path)
    return tmp_path


def append(name: str) -> Callable[[Path], object]:
    def change(tree: Path) -> None:
        with (tree / name).open("a") as file:
            file.write("\n")

    return change


def rename(tree: Path) -> None:
    (tree / "runner/councilor_runner/__init__.py").rename(tree / "runner/councilor_runner/other.py")


CHANGES: dict[str, Callable[[Path], object]] = {
    **{f"{name} edited": append(name) for name in inputs.FILES},
    "operator edited": append(inputs.VERSION_FILE),
    "runner edited": append("runner/councilor_runner/contract.py"),
    "data file added": lambda tree: (tree / "runner/councilor_runner/words.json").write_text("{}"),
    "empty file added": lambda tree: (tree / "operator/councilor_operator/new.py").touch(),
    "file removed": lambda tree: (tree / "runner/councilor_runner/contract.py").unlink(),
    "file renamed": rename,
    "file made executable": lambda tree: (tree / "runner/councilor_runner/contract.py").chmod(0o755),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_that_reaches_an_image_gives_another_tag(tree: Path, change: Callable[[Path], object]) -> None:
    before = inputs.content_hash(root=tree)
    change(tree)
    assert inputs.content_hash(root=tree) != before


def test_content_that_moves_from_one_file_to_the_next_gives_another_tag(tree: Path) -> None:
    one, other = tree / "runner/a.py", tree / "runner/b.py"
    one.write_text("x")
    other.touch()
    before = inputs.content_hash(root=tree)
    one.write_text("")
    other.write_text("x")
    assert inputs.content_hash(root=tree) != before


def test_another_base_image_gives_another_tag(tree: Path) -> None:
    assert len({inputs.content_hash(name, tree) for name in (None, "python:3.11-slim", "python:3.12-slim")}) == 3


@pytest.mark.parametrize(
    "name", ["README.md", "docs/new.md", "tests/new.py", "operator/x/__pycache__/y.py", "runner/y.pyc"]
)
def test_files_that_reach_no_image_leave_the_tag(tree: Path, name: str) -> None:
    before = inputs.content_hash(root=tree)
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text("new")
    assert inputs.content_hash(root=tree) == before


def test_a_copy_has_the_tag_of_its_original(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy")
    inputs.snapshot(copy, tree)
    assert inputs.content_hash(root=copy) == inputs.content_hash(root=tree)
    assert list(inputs.paths(copy)) == list(inputs.paths(tree))


def test_the_version_is_the_one_of_the_package() -> None:
    assert inputs.version() == councilor_operator.__version__


def test_a_version_that_is_not_there_is_an_error(tree: Path) -> None:
    (tree / inputs.VERSION_FILE).write_text("")
    with pytest.raises(BuildError, match="__version__"):
        inputs.version(tree)


def test_everything_the_dockerfile_copies_counts_for_the_tag_and_reaches_the_builder() -> None:
    copied = {
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    }
    assert copied
    assert copied <= {*inputs.FILES, *inputs.SOURCE_ROOTS}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied == {line[1:] for line in ignored if line.startswith("!")}


def test_images_and_developers_install_with_the_same_uv() -> None:
    [in_images] = re.findall(r"^ARG UV_VERSION=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    [of_developers] = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert in_images == of_developers


def test_both_images_run_as_a_numeric_user_so_that_the_kubelet_can_tell_it_is_not_root() -> None:
    users = re.findall(r"^USER (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["65532:65532"]


def test_the_operator_names_no_api_class_of_the_client_since_its_image_has_none() -> None:
    named = [
        f"{path.name}: {name}"
        for path in sorted((ROOT / "operator").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else [node.attr]
            if isinstance(node, ast.Attribute)
            else []
        )
        if name.endswith("Api") or ".client.api" in name
    ]
    assert named == []


def test_another_recipe_is_another_base_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.reference()
    monkeypatch.setattr(base, "INCLUDED", (*base.INCLUDED, "tzdata"))
    assert base.reference() != before


NAME = "docker.io/library/councilor-runner:1"
LAYER = b"layer" * 100_000


def write(path: Path, *layers: bytes, names: tuple[str, ...] = (NAME,)) -> str:
    """A docker-archive of these layers; the image's id."""
    configuration = json.dumps(
        {"rootfs": {"diff_ids": [hashlib.sha256(layer).hexdigest() for layer in layers]}}
    ).encode()
    identity = hashlib.sha256(configuration).hexdigest()
    members = {f"{number}/layer.tar": layer for number, layer in enumerate(layers)}
    manifest = [{"Config": f"{identity}.json", "RepoTags": list(names), "Layers": list(members)}]
    members |= {f"{identity}.json": configuration, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return identity


@pytest.mark.parametrize(
    ("names", "held"),
    [
        ((NAME,), True),
        (("councilor-runner:1",), True),
        (("docker.io/library/councilor-runner:2",), False),
        (("localhost/councilor-runner:1",), False),
        ((), False),
    ],
)
def test_an_archive_is_kept_only_if_it_holds_the_image_under_its_name(
    tmp_path: Path, names: tuple[str, ...], held: bool
) -> None:
    path = tmp_path / "runner.tar"
    identity = write(path, LAYER, names=names)
    assert archive.holds(path, "councilor-runner:1", identity) is held
    assert not archive.holds(path, "councilor-runner:1", "0" * 64)


@pytest.mark.parametrize("length", [0, 1, 600, 100_000])
def test_an_archive_that_was_cut_short_is_not_kept(tmp_path: Path, length: int) -> None:
    path = tmp_path / "runner.tar"
    identity = write(path, LAYER)
    path.write_bytes(path.read_bytes()[:length])
    assert not archive.holds(path, "councilor-runner:1", identity)


def test_an_archive_that_is_not_there_is_not_kept(tmp_path: Path) -> None:
    assert not archive.holds(tmp_path / "runner.tar", "councilor-runner:1", "0" * 64)


def test_sizes_add_up_over_layers_and_are_remembered(tmp_path: Path) -> None:
    path, known = tmp_path / "runner.tar", tmp_path / "layers.json"
    write(path, LAYER)
    one = archive.measure(path, known)
    write(path, LAYER, b"other")
    two = archive.measure(path, known)
    assert one.unpacked == len(LAYER)
    assert 0 < one.compressed < one.unpacked
    assert two.unpacked == len(LAYER) + len(b"other")
    assert set(json.loads(known.read_text())) == {hashlib.sha256(layer).hexdigest() for layer in (LAYER, b"other")}
    assert archive.measure(path, known) == two


def test_the_benchmark_starts_the_runner_with_the_images_variables() -> None:
    runtime = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition(" AS runtime\n")[2].partition("\nFROM ")[0]
    variables = dict(re.findall(r"(?m)^(?:ENV|   ) (\w+)=(\S+)", runtime))
    del variables["PATH"]
    assert variables == container.VARIABLES
