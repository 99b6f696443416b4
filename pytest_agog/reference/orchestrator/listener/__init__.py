"""The host listener: spawns agents from `stage.started`, one at a time for each attempt. [O10] [O16]"""
