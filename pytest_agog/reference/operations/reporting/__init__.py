"""Miki's full report: containers, volumes, network, streams, performance."""
