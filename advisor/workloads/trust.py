"""Whose file an ``advisor.toml`` is: what others could write is not obeyed.

A file that lies above a cloned project, or in a folder that many share, may be anybody's;
it could lift caps and name an image that the user's code then runs in. Git refuses a
repository that belongs to neither the user nor root (``safe.directory`` in git-config),
ssh a configuration that others may write (``StrictModes`` in sshd_config, "Bad owner or
permissions" of ssh). The same holds here. As in Debian's ssh, the group of the user's own
name, in which nobody else is, may write.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

_ROOT = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not obeyed.

    Attributes
    ----------
    path : of the file
    why : for people
    is_own : it is the user's all the same: caps in it are meant, and must not be lost
    """

    path: Path
    why: str
    is_own: bool

    def __str__(self) -> str:
        return f"{self.path} is not obeyed: {self.why}"


def refusal(path: Path) -> Refused | None:
    """Return why a file is not obeyed, None if it is; Windows has no such owners."""
    if sys.platform == "win32":
        return None
    user = os.geteuid()
    file = path.stat()
    of_file = (path.lstat(), file)  # a link's own owner says where it leads
    of_folder = (path.parent.stat(), path.resolve().parent.stat())
    for what, all_of in (("it", of_file), ("its folder", of_folder)):
        for status in all_of:
            if status.st_uid not in (user, _ROOT):
                why = f"{what} belongs to {_name(status.st_uid)}, neither you nor root"
                return Refused(path, why, is_own=False)
    if _is_written_by_others(file):
        why = "others may write it: take that from them with 'chmod go-w'"
        return Refused(path, why, is_own=True)
    return None


def belongs_to_user(path: Path) -> bool:
    """Say whether a file is the user's own, not only root's."""
    return sys.platform == "win32" or path.stat().st_uid == os.geteuid()


def is_read_by_others(path: Path) -> bool:
    """Say whether a file's mode lets others read it: what ssh refuses of keys."""
    if sys.platform == "win32":
        return False
    status = path.stat()
    if status.st_mode & stat.S_IROTH:
        return True
    by_group = bool(status.st_mode & stat.S_IRGRP)
    return by_group and not _is_alone_in(status.st_gid, status.st_uid)


def _is_written_by_others(file: os.stat_result) -> bool:
    if file.st_mode & stat.S_IWOTH:
        return True
    by_group = bool(file.st_mode & stat.S_IWGRP)
    return by_group and not _is_alone_in(file.st_gid, file.st_uid)


def _is_alone_in(group_id: int, user_id: int) -> bool:
    """Say whether a group is that of a user's own name, with nobody else in it."""
    if sys.platform == "win32":
        return True
    import grp  # noqa: PLC0415  (Windows has neither)
    import pwd  # noqa: PLC0415

    try:
        user, group = pwd.getpwuid(user_id), grp.getgrgid(group_id)
    except KeyError:
        return False
    is_own = user.pw_gid == group_id and group.gr_name == user.pw_name
    return is_own and set(group.gr_mem) <= {user.pw_name}


def _name(user_id: int) -> str:
    if sys.platform == "win32":
        return str(user_id)
    import pwd  # noqa: PLC0415  (Windows has none)

    try:
        return f"user {pwd.getpwuid(user_id).pw_name}"
    except KeyError:
        return f"user {user_id}"
