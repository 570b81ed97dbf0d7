"""`python -m workers.cli`: the `linkner` command where it is not on the path."""

from workers.cli import main

main()
