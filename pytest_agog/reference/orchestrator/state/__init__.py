"""What the orchestrator knows, where a kill cannot take it: a JetStream KV bucket with compare-and-set. [O21]"""
