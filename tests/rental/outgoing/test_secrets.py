"""Secrets stay here, by name and by text, unless their own name is said."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide
from advisor.rental.outgoing.tokens import SecretText, _read
from advisor.rental.outgoing.words import document, lines

Make = Callable[..., Path]
KEY = "a-key-that-no-test-prints"


def sent(folder: Path, *includes: str, **private: tuple[object, ...]) -> Outgoing:
    asked = Asked(folder, includes)
    return decide(asked, Private(**private), lambda _: None)  # type: ignore[arg-type]


NAMED = (
    *(".env", ".ENV", ".env.local", "sub/.env.production", "prod.env", ".envrc"),
    *("id_rsa", "keys/id_ed25519", ".netrc", "_netrc", ".pypirc", ".git-credentials"),
    *("kaggle.json", "credentials.json", ".vast_api_key", "vast_api_key"),
    *("cert.p12", "a.pfx", "b.kdbx", "c.ppk", "terraform.tfstate", "x.tfstate.backup"),
    *("prod.env.local", "prod.env.bak", ".env~", ".netrc.bak", "kaggle (1).json"),
    *("client_secret_1-a.example.json", "id_rsa.old", ".kaggle.json.swp", "#.netrc#"),
    *("credentials copy.json", "credentials - Copy.json"),
    *(".docker/config.json", ".huggingface/token", ".streamlit/secrets.toml"),
    *("wandb/settings", ".pgpass", ".bash_history", "rclone.conf"),
)
FOLDERS = (
    *(".aws/credentials", ".azure/token", ".kube/config", ".ssh/known_hosts"),
    *("sub/.gnupg/x", ".config/gcloud/x.db", ".config/vastai/vast_api_key"),
)
PLAIN = (
    *(".env.example", ".env.template", "sub/.env.sample", "id_rsa.pub", "config.json"),
    *("token", "settings", "environment.yml", "train.py", "cert.pem", "a.key", "wandb/x"),
    *("settings.env.py", "train (1).py", "a.bak", "x.py~"),
    *(".config/x", ".npmrc", "secrets.toml", ".docker/x", "data.json", ".dockerignore"),
)


def test_names_tell_secrets(make: Make, tmp_path: Path) -> None:
    """Of files and of folders, in any folder; what only looks like one goes."""
    names = (*NAMED, *FOLDERS, *PLAIN)
    folder = make(tmp_path / "p", dict.fromkeys(names, "plain words"))
    outgoing = sent(folder)
    assert set(outgoing.files) == set(PLAIN)
    held = {one.path for one in outgoing.held_back}
    folders = {".aws", ".azure", ".kube", ".ssh", "sub/.gnupg"}
    assert held == {*NAMED, *folders, ".config/gcloud", ".config/vastai"}
    assert all(one.why for one in outgoing.held_back)


def joined(*parts: str) -> str:
    """Return a token that this file itself does not hold, as a search would find it."""
    return "".join(parts)


TOKENS = {
    "Hugging Face": joined("hf", "_", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dE3f"),
    "GitHub": joined("gh", "p_", "0123456789abcdefghijABCDEFGHIJ012345"),
    "GitHub, fine": joined("github", "_pat_", "11ABCDEFG0123456789_abcdefghijklmnop"),
    "GitLab": joined("gl", "pat-", "abcDEF123456-7890xyz"),
    "OpenAI": joined("s", "k-", "abcdefghijklmnopqrst0123456789ABCDEFGHIJ"),
    "OpenAI, project": joined("s", "k-proj-", "Ab3_dE-gHi0jKlMnOpQrStUvWx"),
    "Anthropic": joined("s", "k-ant-api03-", "Ab3_dE-gHi0jKlMnOpQrStUvWx"),
    "AWS": joined("AK", "IA", "0123456789ABCDEF"),
    "AWS secret": joined("aws_secret_", "access_key = ", "a1/+" * 10),
    "Slack": joined("xo", "xb-", "123456789012-abcdefABCDEF"),
    "private key": joined("-----BEGIN OPENSSH ", "PRIVATE KEY-----\nb3BlbnNz"),
    "private key in JSON": joined('"-----BEGIN ', 'PRIVATE KEY-----\\nMIIE"'),
    "wandb": joined("WANDB_", "API_KEY=", "0a1b2c3d4e" * 4),
    "wandb in code": joined("os.environ['WANDB_", "API_KEY'] = '", "0a1b2c3d4e" * 4),
    "wandb login": joined("wandb.", "login(key='", "0a1b2c3d4e" * 4, "')"),
    "npm": joined("//registry.example/:_auth", "Token=", "abcdefgh12345678"),
    "wandb in a notebook": joined(
        r'"os.environ[\"WANDB_', r"API_KEY\"] = \"", "0a1b2c3d4e" * 4, r'\"\n"'
    ),
    "wandb login in a notebook": joined(
        r'"wandb.', r"login(key=\"", "0a1b2c3d4e" * 4, r'\")"'
    ),
    "wandb login in a shell": joined("wandb ", "login --relogin ", "0a1b2c3d4e" * 4),
    "wandb in a Dockerfile": joined("ENV WANDB_", "API_KEY ", "0a1b2c3d4e" * 4),
    "wandb in YAML": joined("wandb_", "api_key: ", "0a1b2c3d4e" * 4),
    "wandb, typed": joined("wandb_", 'api_key: str = "', "0a1b2c3d4e" * 4, '"'),
    "after an escape": joined(r'"A=1\n', "hf", "_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dE3f"),
    "market's client": joined("vastai set ", "api-key ", "0123456789abcdef" * 4),
    "Kaggle": joined('{"username":"a-b","k', 'ey":"', "0123456789abcdef" * 2, '"}'),
    "AWS in JSON": joined('"Secret', 'AccessKey": "', "a1/+" * 10, '"'),
    "Google client": joined('"client_secret":"GO', 'CSPX-abcdefghij-klmnopqrst"'),
    "JWT": joined("ey", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.", "abcdefghij" * 3),
    "address": joined("https://me:s3cr", "3tpass@", "git.example.org/x.git"),
    "database": joined("postgresql+psycopg://u:hunter", "22xyz@", "db.internal/x"),
    "RunPod": joined("rp", "a_", "A1B2C3D4E5" * 4),
    "market": joined("export VAST_", "API_KEY=", "0123456789abcdef" * 4),
}
NO_TOKENS = (
    "sk-estimator-doc-link and sk-toggleable__content-arrow, of a notebook's HTML",
    "hf_model_name_or_path_of_some_length = None",
    "task-scheduler-With-1-very-long-name desk-A1b2A1b2A1b2A1b2A1b2A1b2",
    "if text.startswith('-----BEGIN PRIVATE KEY-----'):",
    "-----BEGIN CERTIFICATE-----\nMIIB",
    "self._auth = HTTPBasicAuth(user, password)",
    "WANDB_API_KEY=${WANDB_API_KEY}",
    "os.environ['VAST_API_KEY'] = key",
    "postgres://postgres:postgres@localhost/x postgresql://user:password@db/x",
    "f'postgres://{user}:{password1}@{host}' http://a.example:8080/p@q",
    "git clone https://user:abcd1234@example.com/x",
    "a login needs the commit 0123456789abcdef0123456789abcdef01234567",
    "COMET_API_KEY, WANDB_API_KEY and KAGGLE_KEY are variables",
)


@pytest.mark.parametrize("text", TOKENS.values(), ids=TOKENS.keys())
def test_texts_tell_tokens(make: Make, tmp_path: Path, text: str) -> None:
    """Wherever they stand in a text file; the line is told, and not what is in it."""
    folder = make(tmp_path / "p", {"conf.py": f"# one\n\nx = 1\n{text}\n", "a.py": ""})
    outgoing = sent(folder)
    assert list(outgoing.files) == ["a.py"]
    (held,) = outgoing.held_back
    assert "in line 4" in held.why
    told = "\n".join(lines(outgoing)) + str(document(outgoing))
    assert text not in told
    for wider in ("*.py", "conf*", "*"):
        assert list(sent(folder, wider).files) == ["a.py"]
    named = sent(folder, "conf.py")
    assert list(named.files) == ["a.py", "conf.py"]
    assert "in line 4" in named.named["conf.py"]
    (line,) = [one for one in lines(named) if one.startswith("secrets that go")]
    assert "conf.py (" in line
    assert text not in line + str(document(named))


def test_texts_that_look_like_tokens_go(make: Make, tmp_path: Path) -> None:
    """What would be held back for nothing makes people send everything."""
    folder = make(tmp_path / "p", {f"{at}": text for at, text in enumerate(NO_TOKENS)})
    assert sent(folder).held_back == ()


def test_an_example_with_a_real_token_stays(make: Make, tmp_path: Path) -> None:
    """A template of an environment file goes only as long as it is one."""
    files = {".env.example": f"HF_TOKEN={TOKENS['Hugging Face']}\n", "a.pem": "x"}
    files["b.pem"] = TOKENS["private key"]
    outgoing = sent(make(tmp_path / "p", files))
    assert list(outgoing.files) == ["a.pem"]


def test_only_its_own_name_sends_a_secret(make: Make, tmp_path: Path) -> None:
    """A folder that is brought back keeps its secrets; so does a wildcard alone."""
    folder = make(
        tmp_path / "p",
        {
            ".advisorignore": "data/\n!.env\n",
            **dict.fromkeys(("data/.env", "data/x", ".env", ".aws/config", "a"), "x"),
        },
    )
    plain = [".advisorignore", "a", "data/x"]
    for include in ("data", "data/", "data/**", "data/*"):
        assert list(sent(folder, include).files) == plain
    assert ".env" not in sent(folder, "*").files
    assert list(sent(folder, "data/.env").files) == [".advisorignore", "a", "data/.env"]
    both = [".advisorignore", ".env", "a", "data/.env", "data/x"]
    assert list(sent(folder, "data", ".env").files) == both
    assert ".env" in sent(folder, "/.en*v").files
    assert ".aws/config" in sent(folder, ".aws").files
    assert ".aws/config" in sent(folder, ".aws/config").files


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "*.*", ".*", "**/.*", "*.json", "**/*.json", "*a*", "?env", ".[e]nv"),
        *("*/*", "*/config", "**/config", "*/*/x", "sub", "sub/*", "*_*"),
    ],
)
def test_what_is_said_of_other_files_sends_no_secret(
    make: Make, tmp_path: Path, pattern: str
) -> None:
    """Neither one whose name matches, nor what is in a folder of secrets."""
    secrets = (".env", "sub/.env.local", "kaggle.json", "credentials.json", "id_rsa")
    inner = (".aws/config", ".kube/config", ".ssh/known_hosts", ".config/gcloud/x")
    others = (
        "data.json",
        "a_b.json",
        "sub/config",
        "config",
        "sub/sub/x",
        ".env.example",
    )
    folder = make(tmp_path / "p", dict.fromkeys((*secrets, *inner, *others), "x"))
    assert set(sent(folder, pattern).files) == set(others)


@pytest.mark.parametrize(
    ("pattern", "secret"),
    [
        *((".env*", ".env.local"), ("*.env", "a.env"), ("kaggle*.json", "kaggle.json")),
        *((".aws/*", ".aws/config"), (".aws/cli", ".aws/cli/x"), ("**/.aws", ".aws/x")),
        *((".aws/**", ".aws/cli/x"), (".config/gcloud/x", ".config/gcloud/x")),
    ],
)
def test_what_is_said_of_secrets_sends_them(
    make: Make, tmp_path: Path, pattern: str, secret: str
) -> None:
    """By a name, or by what only secrets have; each that goes is told to be one."""
    folder = make(tmp_path / "p", {secret: "x", "b.txt": ""})
    outgoing = sent(folder, pattern)
    assert set(outgoing.files) == {secret, "b.txt"}
    assert set(outgoing.named) == {secret}


@pytest.mark.parametrize("code", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_tokens_are_found_in_other_codes(make: Make, tmp_path: Path, code: str) -> None:
    """As editors and shells of Windows write them."""
    folder = make(tmp_path / "p", {"a.py": ""})
    mark = "\ufeff" if code in ("utf-16-le", "utf-16-be") else ""
    (folder / "b.txt").write_bytes(f"{mark}x\n{TOKENS['GitHub']}\n".encode(code))
    outgoing = sent(folder)
    assert list(outgoing.files) == ["a.py"]
    assert outgoing.held_back[0].why == "GitHub token in line 2"


def test_tokens_are_found_in_a_long_notebook(make: Make, tmp_path: Path) -> None:
    """What it shows may be longer than any text with keys."""
    text = f'{{"image": "{"A" * 9_000_000}", "source": "{TOKENS["Hugging Face"]}"}}'
    outgoing = sent(make(tmp_path / "p", {"long.ipynb": text, "data.txt": text}))
    assert list(outgoing.files) == ["data.txt"]


DER = {
    "PKCS 1": b"\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01\x00",
    "PKCS 8": b"\x30\x82\x04\xbe\x02\x01\x00\x30\x0d\x06\x09\x2a\x86",
    "Ed25519": b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70",
    "elliptic curve": b"\x30\x77\x02\x01\x01\x04\x20\x00",
}


@pytest.mark.parametrize("begin", DER.values(), ids=DER.keys())
def test_a_key_in_binary_is_one(make: Make, tmp_path: Path, begin: bytes) -> None:
    """A certificate, which begins nearly so, is none."""
    folder = make(tmp_path / "p", {})
    (folder / "server.key").write_bytes(begin + bytes(100))
    (folder / "server.crt").write_bytes(b"\x30\x82\x03\x00\x30\x82\x02\x00\xa0\x03\x02")
    assert list(sent(folder).files) == ["server.crt"]


def test_a_bare_repository_is_named_or_stays(make: Make, tmp_path: Path) -> None:
    """It has what was ever committed, packed so that no search sees into it."""
    bare = {f"m/{one}": "" for one in ("HEAD", "objects/x", "refs/x", "config")}
    folder = make(tmp_path / "p", {**bare, "a.py": "", "n/HEAD": "", "n/objects/x": ""})
    outgoing = sent(folder)
    assert list(outgoing.files) == ["a.py", "n/HEAD", "n/objects/x"]
    (held,) = outgoing.held_back
    assert (held.path, held.why) == ("m", "a whole history of git")
    assert set(sent(folder, "m").files) > set(bare)


def test_folders_of_advisor_stay_whatever_is_included(make: Make, tmp_path: Path) -> None:
    """Its data, with the private key of all machines, may lie in the project."""
    files = dict.fromkeys(("own/ssh/id", "own/ledger", "cache/x", "sub/a"), "")
    folder = make(tmp_path / "p", files)
    own = (folder / "own", folder / "sub" / ".." / "cache", folder / "not there")
    outgoing = sent(folder, folders=own)
    assert list(outgoing.files) == ["sub/a"]
    assert {one.path: one.kind for one in outgoing.left} == {"cache": "own", "own": "own"}
    for include in ("own", "own/", "own/ssh/id", "cache/*"):
        with pytest.raises(UsageError, match="stays here: advisor's own folder"):
            sent(folder, include, folders=own)


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("a.txt", lambda key: b"x" + key + b"y"),
        ("a.bin", lambda key: b"\0\1" * 9 + key),
        ("a.db", lambda key: b"\0" * (9 * 1024**2 - 7) + key + b"\0" * 1024),
        ("b.txt", lambda key: b"z" * (10 * 1024**2) + key),
        ("c.txt", lambda key: b"\xff\xfe" + key.decode().encode("utf-16-le")),
        ("d.txt", lambda key: key.decode().encode("utf-16-be")),
    ],
)
def test_the_key_itself_is_found_in_any_file(
    make: Make, tmp_path: Path, name: str, around: Callable[[bytes], bytes]
) -> None:
    """In text and in what is none, large or small, in two bytes a character, too."""
    folder = make(tmp_path / "p", {"clean": KEY[:-1]})
    (folder / name).write_bytes(around(KEY.encode()))
    outgoing = sent(folder, keys=(KEY, "short"))
    assert list(outgoing.files) == ["clean"]
    (held,) = outgoing.held_back
    assert held.why == "your key of the market"
    assert KEY not in repr(outgoing) + repr(Private(keys=(KEY,)))


@pytest.mark.parametrize("code", ["utf-8", "utf-16-le", "utf-16-be"])
@given(before=st.integers(0, 40), chunk=st.integers(1, 9), after=st.integers(0, 40))
@example(before=0, chunk=1, after=0)
def test_a_key_on_the_border_of_two_reads_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    code: str,
    before: int,
    chunk: int,
    after: int,
) -> None:
    """Wherever a long file is cut to be read."""
    folder = tmp_path_factory.mktemp("law")
    path = folder / "x"
    path.write_bytes(b"k" * before + "key-of-the-market".encode(code) + b"t" * after)
    secrets = SecretText(["key-of-the-market"], largest_text=10, chunk=chunk)
    assert secrets.found_in(path, path.stat().st_size)
    path.write_bytes(b"k" * before + "key-of-the-marke".encode(code) + b"-" * after)
    assert not secrets.found_in(path, path.stat().st_size)


def test_a_large_file_is_read_for_a_known_key_alone(tmp_path: Path) -> None:
    """Without one it is not even opened."""
    assert SecretText([]).found_in(tmp_path / "not there", 100 * 1024**2) == ""
    with pytest.raises(FileNotFoundError):
        SecretText([KEY]).found_in(tmp_path / "not there", 100 * 1024**2)


@pytest.mark.parametrize(
    ("name", "mib"), [("a.txt", 8), ("a.ipynb", 64), ("A.IPYNB", 64)]
)
def test_a_file_is_searched_for_tokens_up_to_a_size(
    tmp_path: Path, name: str, mib: int
) -> None:
    """Of notebooks more: what they show makes them long."""
    (tmp_path / name).write_text(f"x\n{TOKENS['GitHub']}")
    found = SecretText([]).found_in(tmp_path / name, mib * 1024**2)
    assert found == "GitHub token in line 2"
    assert SecretText([]).found_in(tmp_path / name, mib * 1024**2 + 1) == ""


def test_a_file_is_read_to_its_end_however_little_comes_at_once(tmp_path: Path) -> None:
    """One read may bring less than was asked for."""

    class Slow(io.BytesIO):
        """A file that brings three bytes at most."""

        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 3))

    assert _read(Slow(b"0123456789"), 8) == b"01234567"
    assert _read(Slow(b"0123"), 8) == b"0123"
