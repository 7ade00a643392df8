"""``python -m seglet``."""

from seglet.cli import main

main()
