"""Pipes a report of more than 10 MB into `agog publish`, or reads it with `agog fetch` and compares.

python large_report.py publish FEATURE
python large_report.py compare URL
"""

from __future__ import annotations

import subprocess
import sys

ROWS = 185_000
AGOG = [sys.executable, "-m", "pytest_agog"]


def report() -> bytes:
    """The same 10.8 MB each time."""
    lines = ["# Export of lot movements", "", "## Movements", "", "| lot | movement | kg | site |", "|---|---|---|---|"]
    sites = ("HAM", "ROT", "ŁDZ")
    for number in range(ROWS):
        site = sites[number % 3]
        kilograms = (number * 7919 % 100_000) / 1000
        lot = f"L24-{number % 1231:04d}-{site}-{number:06d}"
        lines.append(f"| {lot} | {number * 31:09d} | {kilograms:.3f} kg net | {site} |")
    lines += ["", "## End", "", "End of the export.", ""]
    return "\n".join(lines).encode()


def publish(feature: str) -> int:
    """Publish it from a pipe."""
    command = [*AGOG, "publish", "priya", "statistics", feature, "-"]
    return subprocess.run(command, input=report(), check=False).returncode


def compare(url: str) -> int:
    """Read it in another process than the one that published it."""
    fetched = subprocess.run([*AGOG, "fetch", url], stdout=subprocess.PIPE, check=True).stdout
    expected = report()
    if fetched.rstrip(b"\n") != expected.rstrip(b"\n"):
        print(f"different: {len(fetched)} bytes were read, {len(expected)} published")
        return 1
    print(f"the same {len(expected)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit({"publish": publish, "compare": compare}[sys.argv[1]](sys.argv[2]))
