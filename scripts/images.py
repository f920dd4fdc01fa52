"""Builds the container images: `make images`, or `python scripts/images.py operator serving --archive dist/images`.

Works with docker, podman or buildah, whichever is there. Options after `--` go to its `build` unchanged.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = "images/Dockerfile"
IMAGES = ("operator", "host", "components", "serving")
BUILDERS = ("docker", "podman", "buildah")
HUB = "docker.io"
"""What every container runtime puts before a reference that names no host."""
SBOM = "/opt/tidegate/share/sbom/environment.cdx.json"


class CannotBuild(Exception):  # noqa: N818
    """The images cannot be built; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Build:
    """One image as it will be built; nothing is done yet."""

    name: str
    reference: str
    labels: tuple[tuple[str, str], ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()

    def command(self, builder: str) -> tuple[str, ...]:
        pairs = [("--label", label) for label in self.labels] + [("--build-arg", given) for given in self.arguments]
        given = [part for flag, (key, value) in pairs for part in (flag, f"{key}={value}")]
        layers = ["--layers"] if builder == "buildah" else []  # docker and podman keep them anyway
        return (
            builder, "build", *layers, "--file", DOCKERFILE, "--target", self.name, "--tag", self.reference,
            *given, *self.options, ".",
        )  # fmt: skip


def reference(name: str, prefix: str, tag: str) -> str:
    """The image's full name. A prefix without a host is the hub's, as every runtime reads it."""
    host = prefix.split("/")[0]
    full = prefix if "." in host or ":" in host or host == "localhost" else f"{HUB}/{prefix}"
    return f"{full}/{name}:{tag}"


def archive(builder: str, image: str, file: Path) -> tuple[str, ...]:
    """The command that writes an image, with its name in it, to a file that `ctr images import` and others read."""
    if builder == "buildah":
        return ("buildah", "push", "--quiet", image, f"oci-archive:{file}:{image}")
    return (
        builder,
        "save",
        *(("--format", "oci-archive") if builder == "podman" else ()),
        "--output",
        str(file),
        image,
    )


def find_builder(asked: str) -> str:
    """The first that is installed and answers. Raises: CannotBuild."""
    found = []
    for builder in (asked,) if asked else BUILDERS:
        if not shutil.which(builder):
            found.append(f"{builder}: not installed")
        elif subprocess.run([builder, "info"], capture_output=True, check=False).returncode:
            found.append(f"{builder}: installed, but `{builder} info` fails (is its daemon running?)")
        else:
            return builder
    raise CannotBuild(
        "no image builder here.\n  " + "\n  ".join(found) + "\nto mend it: install one of them, or start it"
    )


def size(builder: str, image: str) -> str:
    """As the builder counts it: uncompressed, with the base image."""
    if builder == "buildah":
        listed = json.loads(output("buildah", "images", "--json", image))
        return str(listed[0]["size"])
    return f"{int(output(builder, 'image', 'inspect', '--format', '{{.Size}}', image)) / 1e6:.0f} MB"


def sbom(builder: str, image: str) -> str:
    """The image's software bill of materials (CycloneDX JSON, Python packages), made while it was built."""
    if builder != "buildah":
        return output(builder, "run", "--rm", "--network", "none", "--entrypoint", "cat", image, SBOM)
    container = output("buildah", "from", "--pull-never", image).strip()
    try:
        return output("buildah", "run", "--isolation", "chroot", container, "cat", SBOM)
    finally:
        output("buildah", "rm", container)


def output(*command: str) -> str:
    """Raises: CannotBuild with what the command said."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise CannotBuild(f"this failed: {' '.join(command)}\n{ran.stderr.strip()}")
    return ran.stdout


def source_labels() -> tuple[tuple[str, str], ...]:
    """Of which commit, and its time (so that a commit is one image); none in a folder that is no Git checkout."""
    told = subprocess.run(
        ["git", "log", "-1", "--format=%H %ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    if told.returncode:
        return ()
    revision, committed = told.stdout.split()
    created = datetime.fromtimestamp(int(committed), UTC).isoformat()
    return (("org.opencontainers.image.revision", revision), ("org.opencontainers.image.created", created))


def version() -> str:
    sys.path.insert(0, str(ROOT / "src"))
    from tidegate import __version__

    return __version__


def builds(asked: argparse.Namespace, tag: str, labels: tuple[tuple[str, str], ...]) -> list[Build]:
    """What was asked for. Pure."""
    arguments = [("BASE", asked.base)] if asked.base else []
    made = []
    for name in asked.images or IMAGES:
        gpu = asked.gpu and name == "components"
        made.append(Build(
            name, reference(name, asked.prefix, f"{tag}-gpu" if gpu else tag),
            (("org.opencontainers.image.version", tag), *labels),
            (*arguments, *((("COMPONENTS", "components-gpu"),) if gpu else ())), tuple(asked.options),
        ))  # fmt: skip
    return made


def read(arguments: Sequence[str]) -> argparse.Namespace:
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="images", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"of {', '.join(IMAGES)}; by default all")
    parser.add_argument("--builder", choices=BUILDERS, default="", help="by default the first that works")
    parser.add_argument("--prefix", default="tidegate", help="before the image's name: a registry's folder")
    parser.add_argument("--tag", default="", help="by default tidegate's version")
    parser.add_argument("--base", default="", help="another base image, with Python 3.11 on Debian 12's glibc or newer")
    parser.add_argument("--gpu", action="store_true", help="components with CUDA's libraries, tagged -gpu")
    parser.add_argument("--archive", type=Path, metavar="FOLDER", help="also write each as an archive to FOLDER")
    parser.add_argument("--sbom", type=Path, metavar="FOLDER", help="also write each one's SBOM to FOLDER")
    parser.add_argument("--dry-run", action="store_true", help="only print the commands")
    asked = parser.parse_args(list(arguments)[:cut])
    unknown = [name for name in asked.images if name not in IMAGES]
    if unknown:
        parser.error(f"no image {', '.join(unknown)}; there are: {', '.join(IMAGES)}")
    asked.options = list(arguments)[cut + 1 :]
    return asked


def make(asked: argparse.Namespace) -> None:
    """Raises: CannotBuild."""
    builder = (asked.builder or BUILDERS[0]) if asked.dry_run else find_builder(asked.builder)
    todo = builds(asked, asked.tag or version(), source_labels())
    for build in todo:
        command = build.command(builder)
        if asked.dry_run:
            print(" ".join(command))
            continue
        print(f"== {build.reference}", flush=True)
        if subprocess.run(command, cwd=ROOT, env=os.environ | {"DOCKER_BUILDKIT": "1"}, check=False).returncode:
            raise CannotBuild(f"{build.name} was not built; see above")
        if asked.archive:
            write_archive(builder, build, asked.archive)
        if asked.sbom:
            asked.sbom.mkdir(parents=True, exist_ok=True)
            (asked.sbom / f"{build.name}.cdx.json").write_text(sbom(builder, build.reference), encoding="utf-8")
    if not asked.dry_run:
        for build in todo:
            print(f"{build.reference:<50} {size(builder, build.reference):>10}")


def write_archive(builder: str, build: Build, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{build.name}.tar"
    file.unlink(missing_ok=True)
    output(*archive(builder, build.reference, file.resolve()))


def main() -> int:
    try:
        make(read(sys.argv[1:]))
    except CannotBuild as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
