"""What agents remember, in five layers. [O20]"""
