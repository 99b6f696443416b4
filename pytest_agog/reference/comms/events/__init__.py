"""The events API: stored messages, history first and then live, to any number of readers. [C7]"""
