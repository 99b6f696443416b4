"""From YAML text to a tree of plain values that know their place."""
