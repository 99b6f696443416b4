"""What checks read out of a ledger: reports, rows, accounts, orchestration; and how verdicts speak of it."""
