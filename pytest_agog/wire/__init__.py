"""The contract: subjects, streams, messages, notices, tables. No I/O; the ground floor of harness and reference."""
