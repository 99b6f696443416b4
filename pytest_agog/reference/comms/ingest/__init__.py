"""Ingest: messages of `agent-comms` into Postgres, each exactly once. [C2] to [C6]"""
