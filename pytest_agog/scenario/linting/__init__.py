"""Doubts about scenarios that are not wrong."""
