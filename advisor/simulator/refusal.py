"""What the simulated market answers instead of doing what was asked."""

from __future__ import annotations

from typing import Any


class RefusalError(Exception):
    """A refusal in the market's words.

    Parameters
    ----------
    status : of HTTP
    error, message : the market's code and its explanation
    more : further fields of the answer, such as ``new_contract``
    """

    def __init__(self, status: int, error: str, message: str, **more: Any) -> None:
        super().__init__(f"{status} {error}: {message}")
        self.status = status
        self.body = {"success": False, "error": error, "msg": message, **more}


def no_such_ask(offer_id: int) -> RefusalError:
    """Return the refusal of an offer that is no longer there, in its odd words."""
    what = f"no_such_ask Instance type by id {offer_id} is not available."
    return RefusalError(400, "invalid_args", f"error 404/3603: {what}")


def no_such_instance(instance_id: int) -> RefusalError:
    """Return the refusal of an instance that is not there, or not one's own."""
    return RefusalError(404, "no_such_instance", f"Instance {instance_id} not found")


def invalid(message: str) -> RefusalError:
    """Return the refusal of an argument."""
    return RefusalError(400, "invalid_args", message)
