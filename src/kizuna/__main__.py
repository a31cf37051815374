"""``python -m kizuna``."""

from kizuna.cli.main import main

main()
