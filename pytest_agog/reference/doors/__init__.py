"""Who may come in to an HTTP service, and how often: tokens, signed-in browsers, limits; and what pages share. [C10]"""
