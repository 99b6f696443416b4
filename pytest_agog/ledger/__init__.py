"""Observe: one append-only ledger of everything that was done and seen, and the recorders and bundles around it."""
