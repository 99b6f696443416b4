"""Writes its second argument, with escapes resolved, to the file in AGENT_OUTPUT_DIR that its first one names."""

import os
import sys
from pathlib import Path

path = Path(os.environ["AGENT_OUTPUT_DIR"], sys.argv[1])
path.write_bytes(sys.argv[2].encode().decode("unicode_escape").encode())
