"""One pytest session: its options, its items, what they share, and what is told of them."""
