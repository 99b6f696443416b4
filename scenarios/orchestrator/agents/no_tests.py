"""What test runners print when they run nothing and end with 0."""

import sys

print(
    {
        "pytest": "collected 0 items\n\nno tests ran in 0.01s",
        "jest": "No tests found, exiting with code 0",
        "skipped": "ssss                                            [100%]\n4 skipped in 0.02s",
    }[sys.argv[1]]
)
