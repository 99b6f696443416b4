"""NATS and Postgres for a play: embedded, as a cluster, in containers, or somebody else's. [X4]"""
