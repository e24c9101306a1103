"""``python -m dagnas``."""

import sys

from dagnas.cli import main

sys.exit(main())
