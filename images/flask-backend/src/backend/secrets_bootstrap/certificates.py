"""Certificates by which the platform's parts know each other, of an authority of their own."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Nobody renews them but an administrator, who deletes their Secrets: they must not end before anybody thinks of it.
LIFETIME = datetime.timedelta(days=3650)
_CLOCK_SKEW = datetime.timedelta(hours=1)


def make_authority(name: str) -> dict[str, str]:
    """A new authority in PEM: `tls.crt` and `tls.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return {"tls.crt": _pem(builder.sign(key, hashes.SHA256())), "tls.key": _key_pem(key)}


def issue(hosts: list[str], authority: dict[str, str]) -> dict[str, str]:
    """A new certificate for these DNS names, of a server and of a client, in PEM: `tls.crt`, `tls.key`, `ca.crt`.

    Args:
        hosts: at least one; the first also names the certificate.
        authority: as `make_authority` made it.

    Raises:
        ValueError: the authority is no certificate with its key.
    """
    signer = x509.load_pem_x509_certificate(authority["tls.crt"].encode())
    signing_key = serialization.load_pem_private_key(authority["tls.key"].encode(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(hosts[0], signer.subject, key.public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    certificate = builder.sign(signing_key, hashes.SHA256())
    return {"tls.crt": _pem(certificate), "tls.key": _key_pem(key), "ca.crt": authority["tls.crt"]}


def _builder(name: str, issuer: str | x509.Name, key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_title(name))
        .issuer_name(issuer if isinstance(issuer, x509.Name) else _title(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _title(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    unused = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        **unused,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
