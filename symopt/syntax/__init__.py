"""Text becomes a syntax tree."""
