"""A compiler: it stumbles over the first attempt. The agents' output folder is beside it in the play."""

import os
import sys
from pathlib import Path

attempt = os.environ.get("AGOG_ATTEMPT", "1")
if attempt == "1":
    print("src/api/stock.ts(12,7): error TS2304: Cannot find name 'lotId'.")
    sys.exit(2)
print(f"built {Path('src').name} in 1.2 s")
