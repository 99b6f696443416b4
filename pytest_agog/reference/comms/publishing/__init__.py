"""[C1] [C13] Publishing agent messages: each one acknowledged, or kept in a spool until it is."""
