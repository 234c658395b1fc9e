"""Runs the command as `python -m shared.cli`."""

from shared.cli.main import main

if __name__ == "__main__":
    main()
