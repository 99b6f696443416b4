"""Board: what goes on, for people and for Prometheus; computed from records and a few facts. [O18] [O19]"""
