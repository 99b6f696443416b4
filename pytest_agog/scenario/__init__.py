"""Read: YAML files to a typed model that remembers where each node stood."""
