"""Keeping the system: manifests that a server agrees with, copies of all that it holds, logs of all its parts."""
