"""Act: steps, chains, scripted agents, waiting and probing."""
