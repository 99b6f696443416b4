"""The gate: nothing is accepted that it has not seen work. [O12]"""
