"""Access tokens: EdDSA JSON Web Tokens that name a user and a session."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.config import ConfigError, Settings, read_file

ACCESS_TOKEN_SECONDS = 600
ISSUER = "triptych"
AUDIENCE = "triptych-api"
TOKEN_TYPE = "at+jwt"
_REQUIRED = ["iss", "aud", "exp", "iat", "sub", "jti", "sid"]


class InvalidToken(Exception):
    """The token is not one of ours, or no longer good."""


@dataclass(frozen=True)
class Claims:
    """What a valid access token says."""

    user_id: int
    session_id: str


class TokenIssuer:
    """Signs and checks access tokens with one Ed25519 key."""

    def __init__(self, key: Ed25519PrivateKey):
        self._key = key
        self._public_key = key.public_key()
        raw = self._public_key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        # RFC 7638: the key id is the hash of the public key itself, so it never needs configuring.
        self._jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
        canonical = json.dumps(self._jwk, sort_keys=True, separators=(",", ":")).encode()
        self.key_id = _base64url(hashlib.sha256(canonical).digest())

    def issue(self, user_id: int, session_id: str) -> str:
        """A signed token that lives `ACCESS_TOKEN_SECONDS`."""
        issued_at = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": session_id,
            "jti": secrets.token_hex(16),
            "iat": issued_at,
            "exp": issued_at + ACCESS_TOKEN_SECONDS,
        }
        headers = {"typ": TOKEN_TYPE, "kid": self.key_id}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers=headers)

    def verify(self, token: str) -> Claims:
        """The claims of a token. Raises `InvalidToken` for anything that `issue` did not make, or expired."""
        try:
            header = jwt.get_unverified_header(token)
            expected = {"alg": "EdDSA", "typ": TOKEN_TYPE, "kid": self.key_id}
            if header != expected:
                raise InvalidToken("unexpected header")
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=["EdDSA"],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": _REQUIRED},
            )
            user_id = int(claims["sub"])
            if not 0 < user_id < 2**31:
                raise InvalidToken("impossible user")
            return Claims(user_id, str(claims["sid"]))
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise InvalidToken(type(error).__name__) from error

    def jwks(self) -> dict:
        """The public key as a JSON Web Key Set."""
        return {"keys": [{**self._jwk, "kid": self.key_id, "use": "sig", "alg": "EdDSA"}]}


def load_signing_key(settings: Settings) -> Ed25519PrivateKey:
    """The key of `JWT_SIGNING_KEY_FILE`; without one, in alpha only, a new one for this process.

    Raises:
        ConfigError: no file outside alpha, or not a PEM Ed25519 private key.
    """
    path = settings.jwt_signing_key_file
    if path is None:
        if not settings.is_alpha:
            raise ConfigError("JWT_SIGNING_KEY_FILE: is required outside alpha")
        return Ed25519PrivateKey.generate()
    try:
        key = serialization.load_pem_private_key(read_file("JWT_SIGNING_KEY_FILE", path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"JWT_SIGNING_KEY_FILE: {path} is not an Ed25519 private key in PEM (PKCS #8)")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
