"""Access tokens: EdDSA JSON Web Tokens that name a user and a session."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

import jwt

from backend.auth.keys import KeyRing, VerifyingKey

ACCESS_TOKEN_SECONDS = 600
ISSUER = "triptych"
AUDIENCE = "triptych-api"
TOKEN_TYPE = "at+jwt"
_MOST_KNOWN = 10_000
_REQUIRED = ["iss", "aud", "exp", "iat", "sub", "jti", "sid"]


class InvalidToken(Exception):
    """The token is not one of ours, or no longer good."""


@dataclass(frozen=True)
class Claims:
    """What a valid access token says."""

    user_id: int
    session_id: str


@dataclass(frozen=True)
class _Known:
    """A token whose signature was checked."""

    claims: Claims
    key: VerifyingKey
    expires_at: float


class TokenIssuer:
    """Signs access tokens with the current key of a ring, and accepts those of any key in it."""

    def __init__(self, keys: KeyRing):
        self._keys = keys
        self._known: dict[bytes, _Known] = {}

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
        keys = self._keys.current()
        headers = {"typ": TOKEN_TYPE, "kid": keys.signing_id}
        return jwt.encode(claims, keys.private, algorithm="EdDSA", headers=headers)

    def verify(self, token: str) -> Claims:
        """The claims of a token. Raises `InvalidToken` for anything that `issue` did not make, or expired.

        A signature is checked once: later only whether its key is still accepted and the time is not over. Whether
        the session still lives is the caller's question, every time.
        """
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        known = self._known.get(digest)
        if (
            known
            and known.expires_at > time.time()
            and self._keys.current().verifying.get(known.key.key_id) is known.key
        ):
            return known.claims
        known = self._verify(token)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest] = known
        return known.claims

    def _verify(self, token: str) -> _Known:
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            if header != {"alg": "EdDSA", "typ": TOKEN_TYPE, "kid": key_id}:
                raise InvalidToken("unexpected header")
            # The id is looked up in a dictionary, never a path or an address.
            key = self._keys.find(str(key_id))
            if key is None:
                raise InvalidToken("unknown key")
            claims = jwt.decode(
                token,
                key.public,
                algorithms=["EdDSA"],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": _REQUIRED},
            )
            user_id = int(claims["sub"])
            if not 0 < user_id < 2**31:
                raise InvalidToken("impossible user")
            return _Known(Claims(user_id, str(claims["sid"])), key, claims["exp"])
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise InvalidToken(type(error).__name__) from error

    def jwks(self) -> dict:
        """Every accepted public key as a JSON Web Key Set, the signing one first."""
        keys = self._keys.current().verifying.values()
        return {"keys": [{**key.jwk, "kid": key.key_id, "use": "sig", "alg": "EdDSA"} for key in keys]}
