"""The reference system that the scenarios are proven on. It stands on the wire alone."""
