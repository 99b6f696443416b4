"""A build that never works."""

import sys

print("src/api/stock.ts: cannot find module './lots'")
sys.exit(2)
