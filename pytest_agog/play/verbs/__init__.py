"""The steps of a scenario, a module for each kind."""
