"""What came of many files that were wronged."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.base.errors import AdvisorError


@dataclass
class Tally:
    """What came of one kind of files.

    Attributes
    ----------
    tried : files
    refused : of them, those that ended in an error of ours
    faults : of each sort, with an example
    """

    tried: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def fault(self, what: str) -> None:
        """Note one."""
        self.faults[what[:300]] += 1

    def tell(self, what: str, call: Callable[[], Any]) -> Any:
        """Return what a call returns, else the error that it raises."""
        try:
            return call()
        except AdvisorError as error:
            # `advisor.cli.main` makes one line of what has several.
            if not all(word.isprintable() for word in str(error).split()):
                self.fault(f"{what}: an error that no terminal takes: {str(error)!r}")
            return error
        except Exception as error:  # any other is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            ours = [one for one in frames if "/advisor/" in one.filename]
            where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
            self.fault(f"{type(error).__name__} at {where}: {error}: {what}")
            return error
