"""`python -m runlog` for an installed runlog. runlog.py alone is its own main module."""

import sys

from runlog import _main

sys.exit(_main())
