"""``python -m shinso`` is ``shinso``."""

import sys

from shinso.cli.main import main

sys.exit(main())
