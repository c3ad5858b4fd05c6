"""Step-length rules: how far to go along a direction."""
