# SPDX-License-Identifier: GPL-3.0-or-later
"""Start of the engine's process: fixes what libraries read once at import, then hands over to the command line.
Nothing may be imported here before the thread counts are set."""

import os
import sys

# Work is spread over frames by the engine itself; a library's own threads would only fight it, and change sums.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

from .cli import main  # noqa: E402

sys.exit(main())
