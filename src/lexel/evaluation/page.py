"""x"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexel.evaluation.report import Report


def render(report: Report) -> str:
    return ""
