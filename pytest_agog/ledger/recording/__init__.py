"""The recorder: everything that crosses NATS, in order, into the ledger."""
