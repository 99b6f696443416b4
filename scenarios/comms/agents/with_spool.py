"""Runs a command with a spool of its own below AGENT_OUTPUT_DIR, which it shares with the other steps of its play."""

import os
import subprocess
import sys
from pathlib import Path

spool = Path(os.environ["AGENT_OUTPUT_DIR"]) / "spool"
spool.mkdir(exist_ok=True)
command = sys.argv[1:]
if command[0] == "agog":
    command = [sys.executable, "-m", "pytest_agog", *command[1:]]
sys.exit(subprocess.run(command, env={**os.environ, "AGOG_SPOOL_DIR": str(spool)}).returncode)
