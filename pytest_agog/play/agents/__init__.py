"""Agents of a scenario: scripted ones, commands, chains of them, and what they read and print."""
