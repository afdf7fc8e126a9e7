# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a button cannot run, or did not work, told to the artist in one way everywhere.
It must not know any reason."""

from __future__ import annotations

from ..protocol import ToonError

__all__ = ["ReasonedOperator", "report_error"]


class ReasonedOperator:
    """For operators that cannot always run: subclasses say in `reason` why not, and the grayed button's tooltip says it too."""

    @classmethod
    def poll(cls, context) -> bool:
        reason = cls.reason(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    @classmethod
    def reason(cls, context) -> str:
        """Why the operator cannot run now, in words for the artist; empty if it can."""
        raise NotImplementedError


def report_error(operator, error: ToonError) -> set[str]:
    """Tell the artist, and end the operator without an undo step."""
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}
