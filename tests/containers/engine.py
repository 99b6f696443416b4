"""A container engine for tests: without one they skip and say what to install, or fail where `AGOG_REQUIRE` has
`docker`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from pytest_agog.stage.machine.engine import missing

NAMES = ("nats:2.12-alpine", "pgvector/pgvector:pg16")
OURS = "pytest-agog:local"


def need_engine(*, compose: bool = False) -> None:
    """Skip or fail the test that runs on a machine without an engine, or without images of the servers."""
    lacks = missing()
    if not lacks and compose and not _compose():
        lacks = "there is no docker compose; install it (Debian: apt-get install docker-compose)"
    if not lacks:
        absent = [name for name in NAMES if _run("docker", "image", "inspect", name).returncode]
        if absent:
            lacks = (
                f"no image {', '.join(absent)}; pull it, or build stand-ins: python tests/containers/build_images.py"
            )
    if not lacks:
        return
    if "docker" in re.split(r"[,\s]+", os.environ.get("AGOG_REQUIRE", "")):
        pytest.fail(lacks)
    pytest.skip(lacks)


def compose_command() -> list[str]:
    """The compose of this machine."""
    return _compose() or ["docker-compose"]


def _compose() -> list[str]:
    if shutil.which("docker") and _run("docker", "compose", "version").returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
