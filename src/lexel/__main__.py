"""`python -m lexel` is `lexel`."""

from lexel.cli.main import main

main()
