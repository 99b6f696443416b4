"""The orchestrator at work: it reads what happened, applies the steps of `engine`, and sends what they say."""
