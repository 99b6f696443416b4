"""An orchestrator's way with a roadmap: copies it to where the copy is kept, with replacements made."""

import os
import sys
from pathlib import Path

source, *pairs = sys.argv[1:]
text = Path(source).read_bytes().decode()
for old, new in zip(pairs[::2], pairs[1::2], strict=True):
    old, new = (part.replace("\\n", "\n").replace("\\r", "\r") for part in (old, new))
    if old not in text:
        sys.exit(f"{old!r} does not stand in {source}")
    text = text.replace(old, new, 1)
kept = Path(os.environ["AGENT_OUTPUT_DIR"], "roadmap", Path(source).name)
kept.parent.mkdir(parents=True, exist_ok=True)
kept.write_bytes(text.encode())
