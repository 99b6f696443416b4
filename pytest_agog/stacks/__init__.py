"""[X2] Compose files judged by the rules of two stacks: an application that stands alone, and agents beside it."""
