"""An agent that hangs, and whose child would leave a report behind later."""

import os
import subprocess
import sys
import time

LATER = """
import os, pathlib, time
time.sleep(2)
folder = pathlib.Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables"
(folder / "late.md").write_text("# Late\\n")
"""
subprocess.Popen([sys.executable, "-c", LATER], env=os.environ, start_new_session=True)
time.sleep(600)
