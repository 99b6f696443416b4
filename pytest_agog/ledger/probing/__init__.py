"""Looking up what claims ask for: streams, tables, pages, metrics, permissions."""
