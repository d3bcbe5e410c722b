"""`python -m slimvoice` is the command `slimvoice`."""

from slimvoice.cli import main

main()
