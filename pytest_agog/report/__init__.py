"""Tell: terminal, JSON, Markdown."""
