"""pytest-agog: a verification harness for multi-agent systems on NATS JetStream and Postgres."""

__version__ = "0.1.0"
