"""The images: what would be built, by which builder, from which locks; without building any."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import images  # noqa: E402

DOCKERFILE = (ROOT / "images/Dockerfile").read_text()


def planned(*arguments: str) -> list[Any]:
    return images.builds(images.read(arguments), "1.2.3", (("org.opencontainers.image.revision", "abc"),))


def test_all_images_are_built_from_one_dockerfile_each_as_a_target() -> None:
    assert set(re.findall(r"^FROM final AS (\S+)", DOCKERFILE, re.MULTILINE)) == set(images.IMAGES)
    assert [build.name for build in planned()] == list(images.IMAGES)


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("tidegate", "docker.io/tidegate/host:1"), ("registry.example.com/ml", "registry.example.com/ml/host:1"),
        ("localhost:5000/a", "localhost:5000/a/host:1"), ("localhost", "localhost/host:1"),
    ],
)  # fmt: skip
def test_a_reference_is_what_every_runtime_makes_of_it(prefix: str, said: str) -> None:
    assert images.reference("host", prefix, "1") == said


def test_the_commands_of_each_builder() -> None:
    (build,) = planned("operator", "--base", "mine", "--", "--network", "host")
    assert build.command("docker") == (
        "docker", "build", "--file", "images/Dockerfile", "--target", "operator",
        "--tag", "docker.io/tidegate/operator:1.2.3", "--label", "org.opencontainers.image.version=1.2.3",
        "--label", "org.opencontainers.image.revision=abc", "--build-arg", "BASE=mine", "--network", "host", ".",
    )  # fmt: skip
    assert build.command("buildah")[:3] == ("buildah", "build", "--layers")
    assert images.archive("podman", "a:1", Path("f.tar")) == (
        "podman", "save", "--format", "oci-archive", "--output", "f.tar", "a:1",
    )  # fmt: skip


def test_a_gpu_variant_is_another_lock_and_tag() -> None:
    components, serving = planned("components", "serving", "--gpu")
    assert components.reference.endswith("components:1.2.3-gpu")
    assert ("COMPONENTS", "components-gpu") in components.arguments
    assert serving.arguments == ()
    pinned = {
        name: set(re.findall(r"^([a-z0-9_.-]+==\S+)", (ROOT / path).read_text(), re.MULTILINE))
        for name, path in (
            ("cpu", "src/tidegate/environments/components.lock"),
            ("gpu", "images/locks/components-gpu.lock"),
        )
    }
    assert pinned["cpu"] <= pinned["gpu"]
    assert all(pin.startswith("nvidia-") for pin in pinned["gpu"] - pinned["cpu"])


def test_without_a_builder_it_says_which_there_could_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(images.CannotBuild, match="podman: not installed") as caught:
        images.find_builder("")
    assert "to mend it: install one of them" in str(caught.value)
    broken = tmp_path / "docker"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(images.CannotBuild, match="is its daemon running"):
        images.find_builder("docker")


def test_everything_installed_is_checked_against_a_hash() -> None:
    locks = [*(ROOT / "images/locks").glob("*.lock"), *(ROOT / "src/tidegate/environments").glob("*.lock")]
    for lock in locks:
        pins = re.findall(r"^[a-z0-9_.\[\],-]+==.*\\$", lock.read_text(), re.MULTILINE | re.IGNORECASE)
        assert pins, lock
        assert not re.search(r"^(--index|--extra-index|--find-links)", lock.read_text(), re.MULTILINE), lock
    script = (ROOT / "images/environment").read_text()
    for line in (DOCKERFILE + script).splitlines():
        if re.search(r"pip (install|sync) ", line):
            assert "--require-hashes" in line or "--no-deps" in line, line


def test_images_run_as_nobody_in_particular() -> None:
    final = DOCKERFILE.split("AS final\n")[1].split("\nFROM ")[0]
    assert "\nUSER 8888:0\n" in final
    for stage in DOCKERFILE.split("\nFROM final AS ")[1:]:
        users = re.findall(r"^USER (.*)$", stage, re.MULTILINE)
        assert not users or users[-1] == "8888:0", stage


def test_a_local_environment_and_its_image_have_the_same_variables() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["tidegate"]["environments"]
    for name in ("components", "serving"):
        local = {key: value for key, value in settings[name]["env"].items() if key != "CUDA_VISIBLE_DEVICES"}
        stage = DOCKERFILE.split(f"FROM final AS {name}\n")[1].split("\nFROM ")[0]
        said = dict(part.split("=", 1) for part in re.findall(r"^ENV (.*)$", stage, re.MULTILINE)[0].split())
        assert said == local


def test_only_what_images_are_made_of_is_sent_to_the_builder() -> None:
    ignored = (ROOT / "images/Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    copied = re.findall(r"^COPY ((?!--from)[^\n]*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    allowed = tuple(line[1:] for line in ignored if line.startswith("!"))
    assert all(source.startswith(allowed) for source in sources), sources
    assert all((ROOT / source).exists() for source in sources)
