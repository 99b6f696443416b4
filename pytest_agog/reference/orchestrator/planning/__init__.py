"""Planning: who does what, in which order, beside what and at which cost. No I/O, no clock. [O2]-[O9]"""
