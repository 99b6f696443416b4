"""How orchestrator and listener speak to JetStream: a bucket with compare-and-set, publishing, pulling."""
