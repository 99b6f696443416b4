"""The format told from its models: schema, explanations, reference page, starters."""
