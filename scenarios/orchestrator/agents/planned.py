"""`agog plan --json`, and its waves in one line: `REQ-1+REQ-2, REQ-3`."""

import json
import subprocess
import sys

done = subprocess.run(
    [sys.executable, "-m", "pytest_agog", "plan", sys.argv[1], "--json"], check=True, capture_output=True
)
print(", ".join("+".join(wave) for wave in json.loads(done.stdout)["waves"]))
