"""`python -m symopt`: the command line."""

from symopt.cli.main import main

main()
