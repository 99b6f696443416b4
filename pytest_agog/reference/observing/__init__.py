"""What the system says of itself: NATS's monitoring translated, the state of parts, resource use. [C11] [X5]"""
