"""``python -m dagnas``."""

import sys

from dagnas.cli import main

if __name__ == "__main__":
    sys.exit(main())
