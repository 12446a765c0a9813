"""A fault of ours disturbs nobody: it ends in a note."""

from __future__ import annotations

import functools
from typing import Any, Callable

_MOST_NOTES = 50


class Notes:
    """Sentences for the reader, each once."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def add(self, sentence: str) -> None:
        """Add a sentence that is not there yet."""
        if sentence not in self.sentences and len(self.sentences) < _MOST_NOTES:
            self.sentences.append(sentence)

    def quietly(self, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator: what it decorates returns None where it fails.

        What is no `Exception`, such as our stop, passes.

        Parameters
        ----------
        what : what is not seen then, as the subject of a sentence
        """

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def guarded(*args: Any, **named: Any) -> Any:
                try:
                    return function(*args, **named)
                except Exception as error:  # whatever it is
                    self.add(f"{what} could not be seen ({type(error).__name__}).")
                    return None

            return guarded

        return decorate
