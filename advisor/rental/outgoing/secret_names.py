"""Files and folders that hold secrets, by the names that programs give them.

Which file a program keeps its keys in is from that program's own documentation. Names are
compared in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ENVIRONMENT = "environment file"
_PRIVATE_KEY = "private key"
_KEY_STORE = "key store"
_PASSWORDS = "passwords"
_CLOUD = "cloud credentials"
_MARKET = "key of a market"
_STATE = "Terraform state, which holds secrets"
_TYPED = "what was typed in a shell"

_FILES: Mapping[str, str] = {
    ".envrc": _ENVIRONMENT,
    "id_rsa": _PRIVATE_KEY,
    "id_dsa": _PRIVATE_KEY,
    "id_ecdsa": _PRIVATE_KEY,
    "id_ecdsa_sk": _PRIVATE_KEY,
    "id_ed25519": _PRIVATE_KEY,
    "id_ed25519_sk": _PRIVATE_KEY,
    ".netrc": _PASSWORDS,
    "_netrc": _PASSWORDS,
    ".pgpass": _PASSWORDS,
    ".my.cnf": _PASSWORDS,
    ".git-credentials": _PASSWORDS,
    ".pypirc": "package index credentials",
    ".dockercfg": "registry credentials",
    "credentials.json": "credentials",
    "client_secret.json": "credentials",
    "application_default_credentials.json": _CLOUD,
    "credentials.tfrc.json": _CLOUD,
    ".boto": _CLOUD,
    ".s3cfg": _CLOUD,
    ".databrickscfg": _CLOUD,
    "rclone.conf": _CLOUD,
    ".rclone.conf": _CLOUD,
    "kaggle.json": "Kaggle token",
    ".modal.toml": "Modal token",
    ".vault-token": "Vault token",
    ".vast_api_key": _MARKET,
    "vast_api_key": _MARKET,
    ".bash_history": _TYPED,
    ".zsh_history": _TYPED,
    ".python_history": _TYPED,
}
"""Name of a file -> what it is."""

_BEHIND: Mapping[str, Mapping[str, str]] = {
    ".docker": {"config.json": "registry credentials"},
    ".huggingface": {"token": "Hugging Face token"},
    "huggingface": {"token": "Hugging Face token", "stored_tokens": "tokens"},
    "wandb": {"settings": "Weights & Biases settings"},
    ".streamlit": {"secrets.toml": "Streamlit secrets"},
    ".cargo": {"credentials": "registry token", "credentials.toml": "registry token"},
    ".gem": {"credentials": "registry token"},
}
"""Name of a folder -> name of a file right in it -> what that is."""

_ENDINGS: Mapping[str, str] = {
    ".env": _ENVIRONMENT,
    ".p12": _KEY_STORE,
    ".pfx": _KEY_STORE,
    ".jks": _KEY_STORE,
    ".keystore": _KEY_STORE,
    ".kdb": _KEY_STORE,
    ".kdbx": _KEY_STORE,
    ".ppk": _PRIVATE_KEY,
    ".p8": _PRIVATE_KEY,
    ".tfstate": _STATE,
    ".tfstate.backup": _STATE,
}
"""End of a file's name -> what it is."""

_FOLDERS: Mapping[str, str] = {
    ".ssh": "ssh keys",
    ".gnupg": "GnuPG keys",
    ".aws": _CLOUD,
    ".azure": _CLOUD,
    ".oci": _CLOUD,
    ".kube": "cluster credentials",
    ".kaggle": "Kaggle token",
    ".runpod": _MARKET,
    ".password-store": _PASSWORDS,
}
"""Name of a folder -> what it holds."""

_FOLDERS_BEHIND: Mapping[str, Mapping[str, str]] = {
    ".config": {
        "gcloud": _CLOUD,
        "gh": "GitHub token",
        "vastai": _MARKET,
        "rclone": _CLOUD,
    },
}
"""Name of a folder -> name of a folder right in it -> what that holds."""

_STAGES = r"local|dev|development|test|testing|stage|staging|prod|production|secrets?"
_SHAPES = (
    (re.compile(rf".+\.env\.(?:{_STAGES})"), _ENVIRONMENT),
    (re.compile(r"client_secret.*\.json"), "credentials"),
)
"""What names of files look like -> what that is."""

_COPY = re.compile(
    r"(?:~|#|\.(?:bak|backup|old|orig|save|copy|sw[op]))+$"
    r"|(?: ?\(\d{1,3}\)| - copy| copy)(?=\.[^.]*$|$)"
)
"""What editors, browsers and people add to the name of a copy."""

_EXAMPLES = (".example", ".sample", ".template", ".dist", ".defaults")


def secret_file(name: str, folder: str) -> str:
    """Return what a file of this name is, ``""`` if the name tells no secret.

    Parameters
    ----------
    name : without its folder
    folder : name of the folder that it is right in, ``""`` where that is the root
    """
    name, folder = name.lower(), folder.lower()
    reason = _reason_by(name, folder)
    if not reason and (first := _COPY.sub("", name)) != name:
        # One of an editor begins with a mark of its own: #x#, .x.swp
        first = first.removeprefix("#")
        reason = _reason_by(first, folder) or _reason_by(first.removeprefix("."), folder)
    return reason


def _reason_by(name: str, folder: str) -> str:
    if reason := _FILES.get(name) or _BEHIND.get(folder, {}).get(name):
        return reason
    if name.startswith(".env") and not name.endswith(_EXAMPLES):
        return _ENVIRONMENT
    reason = next((reason for end, reason in _ENDINGS.items() if name.endswith(end)), "")
    return reason or next(
        (reason for shape, reason in _SHAPES if shape.fullmatch(name)), ""
    )


def secret_folder(name: str, folder: str) -> str:
    """Return what a folder of this name holds, ``""`` if the name tells no secret.

    Parameters
    ----------
    name, folder : as in `secret_file`
    """
    name, folder = name.lower(), folder.lower()
    return _FOLDERS.get(name) or _FOLDERS_BEHIND.get(folder, {}).get(name, "")
