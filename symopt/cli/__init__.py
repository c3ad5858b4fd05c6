"""The command line: words and numbers for a person."""
