# SPDX-License-Identifier: GPL-3.0-or-later
"""Work outside of Blender: what is asked for, where it lies, the process that does it, and the engine's installation.
Must not know bpy; the same calls serve the sidebar, the command line, a farm and the tests."""
