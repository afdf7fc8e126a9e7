# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed and quality, measured by running the real commands and printed as tables.
It may import the engine; nothing imports it."""
