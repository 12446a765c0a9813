"""The user's own profiles: written whole, checked before they are, never lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from advisor.base.errors import Given, UsageError
from advisor.base.files import write_atomically
from advisor.workloads.dump import dump_workload
from advisor.workloads.load import Library
from advisor.workloads.override import number_or_text
from advisor.workloads.parse import parse_workload
from advisor.workloads.profile import Workload

_FORCE = Given("force")


def saved_path(library: Library, name: str) -> Path:
    """Return the file of one of the user's own profiles.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none of that name; the message says whose it is
    """
    path = _user(library) / f"{name}.toml"
    if path.is_file():
        return path
    known = library.files()
    if name not in known:
        library.load(name)  # says which name is near
    origin, path = known[name]
    where = "the built-in profiles" if origin == "built-in" else path
    copy = f"advisor workloads copy {name} NEW"
    message = f"{name} belongs to {where}; copy it first: {copy}"
    raise UsageError(message)


def save_text(library: Library, name: str, text: str, *, force: bool = False) -> Workload:
    """Save a profile's text under a name of the user's, once it is found right.

    Raises
    ------
    advisor.base.errors.UsageError
        if the text is no profile, or the name is taken and `force` is not given
    """
    path = _user(library) / f"{name}.toml"
    check_free(library, name, force=force)
    workload = check_text(library, name, text, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode("utf-8"))
    return workload


def check_free(library: Library, name: str, *, force: bool) -> None:
    """Refuse a name that is taken, or hides another profile, unless it is forced to.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is
    """
    if force:
        return
    if (_user(library) / f"{name}.toml").exists():
        already = f"there is a profile {name} already; "
        raise UsageError(already, _FORCE, " replaces it")
    known = library.files()
    if name not in known:
        return
    origin, path = known[name]
    if origin != "built-in":
        why = f"{path} has a profile {name}, which goes before yours"
        forced = "saves it all the same"
    else:
        why = f"{name} is a built-in profile, which yours would hide"
        forced = "hides it"
    raise UsageError(f"{why}: take another name (", _FORCE, f" {forced})")


def check_text(library: Library, name: str, text: str, origin: str) -> Workload:
    """Return the profile that a text would be under a name of the user's.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is no profile, or calls itself by another name
    """

    def parent(extended: str) -> Workload:
        if extended == name:  # the built-in one of that name is meant
            return Library().load(extended)
        return library.load(extended)

    workload = parse_workload(text, origin, parent, name)
    if workload.name != name:
        message = f"{origin}: name: {name} is expected, as the file is called"
        raise UsageError(message)
    return workload


def new_text(parent: str, name: str, figures: Mapping[str, str]) -> str:
    """Return the text of a profile that extends another with figures of its own.

    A key of the table ``[reference]`` is written ``reference.framework``; what reads as a
    number or a truth is one.
    """
    import tomlkit  # noqa: PLC0415  (only what writes profiles needs it)

    document = tomlkit.document()
    document["extends"] = parent
    document["name"] = name
    _put(document, figures)
    return tomlkit.dumps(document)


def edited_text(text: str, figures: Mapping[str, str]) -> str:
    """Return a profile's text with other figures, its comments kept."""
    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import ParseError  # noqa: PLC0415

    try:
        document = tomlkit.parse(text)
    except ParseError as error:
        message = f"this is not valid TOML, repair it by hand: {error}"
        raise UsageError(message) from error
    _put(document, figures)
    return tomlkit.dumps(document)


def _put(document: object, figures: Mapping[str, str]) -> None:
    """Put figures into a TOML document."""
    import tomlkit  # noqa: PLC0415

    for key, value in figures.items():
        table, _, inner = key.partition(".")
        place, name = document, key
        if inner:
            if table not in place:  # type: ignore[operator]
                place[table] = tomlkit.table()  # type: ignore[index]
            place, name = place[table], inner  # type: ignore[index]
        place[name] = _plain(value)  # type: ignore[index]


def copied_text(library: Library, source: str, name: str) -> str:
    """Return the whole text of a profile under another name."""
    return dump_workload(replace(library.load(source), name=name))


def delete(library: Library, name: str) -> Path:
    """Delete one of the user's own profiles; return its file."""
    path = saved_path(library, name)
    path.unlink()
    return path


def check_named(library: Library, path: Path, text: str) -> str:
    """Return the name that a profile's text gives itself, once it is found right."""
    return parse_workload(text, str(path), library.load, path.stem).name


def _user(library: Library) -> Path:
    if library.user is None:
        message = "there is no folder of the user's own profiles"
        raise UsageError(message)
    return library.user


def _plain(text: str) -> object:
    """Return what a text means in TOML: a truth, a number, else itself."""
    if text in {"true", "false"}:
        return text == "true"
    return number_or_text(text)
