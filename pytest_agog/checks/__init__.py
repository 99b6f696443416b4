"""Judge: each check is one pure function from ledger and arguments to a verdict with evidence."""
