"""Set up: services, targets and links that a play needs, and their removal."""
