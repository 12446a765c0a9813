"""Where a text is shown: how wide that is, and which characters and colors it has."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.report.styles import Style, unstyled


@dataclass(frozen=True, slots=True)
class Look:
    """How a text looks where it is shown.

    Attributes
    ----------
    width : cells of a line; None: any number, and bars as usual
    blocks : it shows `bars.BLOCKS`; else bars are of plain ASCII
    style : returns how a meaning looks
    """

    width: int | None = None
    blocks: bool = True
    style: Style = unstyled

    @property
    def room(self) -> int:
        """Cells of a line that has bars."""
        return _USUAL_WIDTH if self.width is None else self.width


PLAIN = Look()
"""A file or a pipe."""

_USUAL_WIDTH = 80
