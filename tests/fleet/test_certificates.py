"""A certificate proves a name to whoever knows its authority, whatever the clock says."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="the extra 'fleet' is not installed")

from advisor.fleet.certificates import Authority, Certificate


def context(own: Certificate, folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    """Return a side of a connection that shows a certificate and wants to see one."""
    made = ssl.create_default_context(purpose, cadata=own.authority)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT  # as newer Pythons have it
    (folder / "certificate").write_text(own.certificate)
    (folder / "key").write_text(own.key)
    made.load_cert_chain(folder / "certificate", folder / "key")
    return made


def seen(server: Certificate, client: Certificate, folder: Path) -> str:
    """Return the client's name as the server sees it."""
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context(server, folder, ssl.Purpose.CLIENT_AUTH)
    theirs = context(client, folder, ssl.Purpose.SERVER_AUTH)
    listening = ours.wrap_bio(inward, outward, server_side=True)
    calling = theirs.wrap_bio(outward, inward)
    for _ in range(4):
        for side in (calling, listening):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = listening.getpeercert() or {}
    return str(dict(part[0] for part in certificate["subject"])["commonName"])


def test_a_name_is_proved_by_its_authority(tmp_path: Path) -> None:
    """By the strict rules; no other authority proves it."""
    authority = Authority()
    own, member = authority.certify("launcher"), authority.certify("member-7")
    assert seen(own, member, tmp_path) == "member-7"
    with pytest.raises(ssl.SSLCertVerificationError):
        seen(own, Authority().certify("member-7"), tmp_path)


def test_no_member_is_an_authority(tmp_path: Path) -> None:
    """Nor is a key shown where a certificate is."""
    authority = Authority()
    first, second = authority.certify("a"), authority.certify("a")
    assert first.certificate != second.certificate
    assert first.key not in repr(first)
    forged = Certificate(first.certificate, second.certificate, second.key)
    with pytest.raises(ssl.SSLError):
        seen(forged, second, tmp_path)
