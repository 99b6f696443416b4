"""Deliberate defects, by name, apart from what they break."""
