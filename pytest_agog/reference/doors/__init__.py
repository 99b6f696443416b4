"""Who may come in to an HTTP service, and how often: tokens, signed-in browsers, limits; for all services. [C10]"""
