"""The system under test: which of its parts come from where, and how they are started."""
