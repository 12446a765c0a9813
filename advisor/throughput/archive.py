"""The file of the trained model as named members: plain numbers and text, never code.

A zip archive as NumPy writes it (``.npz``): ``NAME.npy`` is an array, ``NAME.json`` a
document. The same members give the same bytes, but for how zlib packs them.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from advisor.base.errors import UsageError

FORMAT = 4
"""Version of the file's layout, and of what its figures are fitted for."""

Array = np.ndarray[Any, Any]
Model = TypeVar("Model")

_EPOCH = (1980, 1, 1, 0, 0, 0)  # earliest date of a zip entry: the same bytes each time
_FAULTS = (
    AttributeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_PACKED = 4096  # bytes above which packing an array is worth its time
_AGAIN = (
    "run 'advisor model train' again, or 'advisor model train --with-records' where it "
    "is your own"
)


class Archive:
    """The members of one file, each read when it is asked for.

    Parameters
    ----------
    data : the bytes of the file

    Raises
    ------
    ValueError, LookupError, zipfile.BadZipFile
        if it is no such file, or one of another version
    """

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        found = self.document("document").get("format")
        if found != FORMAT:
            message = f"format {found}, this version reads {FORMAT}"
            raise ValueError(message)

    def array(self, name: str) -> Array:
        """Return an array of the file; objects are never unpickled."""
        stream = io.BytesIO(self._zip.read(f"{name}.npy"))
        found: Array = np.lib.format.read_array(stream, allow_pickle=False)
        return found

    def document(self, name: str) -> dict[str, Any]:
        """Return a document of the file."""
        found: dict[str, Any] = json.loads(self._zip.read(f"{name}.json"))
        return found


def read_file(path: Path, parse: Callable[[Archive, bytes], Model]) -> Model:
    """Return what `parse` makes of a file and its bytes.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read, or is no model of this version
    """
    try:
        data = path.read_bytes()
        return parse(Archive(data), data)
    except OSError as error:
        message = f"{path}: the model cannot be read ({error.strerror}); {_AGAIN}"
        raise UsageError(message) from error
    except _FAULTS as error:
        message = f"{path}: not a model of this version ({error}); {_AGAIN}"
        raise UsageError(message) from error


def write_file(
    path: Path,
    documents: Mapping[str, Mapping[str, Any]],
    arrays: Mapping[str, Array],
) -> None:
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : of the file
    documents : name -> what JSON can hold
    arrays : name -> array. Those of single precision are stored as they are: their
        digits look random, so that zlib saves 8 % and takes 10 ms to read
    """
    from advisor.base.files import write_atomically  # noqa: PLC0415  (who trains)

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, document in {"document": {"format": FORMAT}, **documents}.items():
            text = json.dumps(document, separators=(",", ":"), allow_nan=False)
            _write(archive, f"{name}.json", text.encode(), packed=True)
        for name, array in arrays.items():
            body = io.BytesIO()
            np.lib.format.write_array(body, np.ascontiguousarray(array))
            packed = array.dtype != np.float32 and array.nbytes > _PACKED
            _write(archive, f"{name}.npy", body.getvalue(), packed=packed)
    write_atomically(path, stream.getvalue())


def _write(archive: zipfile.ZipFile, name: str, data: bytes, *, packed: bool) -> None:
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, compress_type=how)
