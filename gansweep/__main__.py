"""`python -m gansweep` is the command `gansweep`."""

import sys

from gansweep.cli import main

if __name__ == "__main__":
    sys.exit(main())
