"""Attacks on access tokens: none may pass."""

from __future__ import annotations

import base64
import dataclasses
import json
import time

import jwt
import pytest
from api_client import assert_problem
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.auth.tokens import AUDIENCE, ISSUER, TOKEN_TYPE, InvalidToken


@pytest.fixture
def forge(services, admin):
    """A function that signs changed claims and headers of a good token with a chosen key."""
    keys = services.tokens._keys.current()
    good = admin.tokens["access_token"]
    claims = jwt.decode(good, options={"verify_signature": False})

    def make(headers=None, key=None, algorithm="EdDSA", drop=(), **changes) -> str:
        body = {name: value for name, value in (claims | changes).items() if name not in drop}
        header = {"typ": TOKEN_TYPE, "kid": keys.signing_id} | (headers or {})
        signing_key = keys.private if key is None else key
        return jwt.encode(body, signing_key, algorithm=algorithm, headers=header)

    return make


def me(anonymous, token: str):
    return anonymous.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})


def test_the_forger_itself_makes_good_tokens(anonymous, forge):
    assert me(anonymous, forge()).status_code == 200


@pytest.mark.parametrize(
    "attack",
    [
        {"iss": "somebody"},
        {"aud": "another-api"},
        {"aud": [AUDIENCE + "x"]},
        pytest.param({"exp": int(time.time()) - 1}, id="just expired"),
        {"exp": "never"},
        pytest.param({"iat": int(time.time()) + 3600}, id="of the future"),
        {"sub": "999999"},
        {"sub": "1 OR 1=1"},
        {"sub": "99999999999999999999999"},
        {"sid": "0" * 32},
        {"sid": "x' OR '1'='1"},
        {"headers": {"typ": "JWT"}},
        {"headers": {"typ": None}},
        {"headers": {"kid": "../../../dev/null"}},
        {"headers": {"kid": "other"}},
        {"headers": {"kid": ""}},
        {"headers": {"kid": "/dev/null"}},
        {"headers": {"kid": "x' UNION SELECT 'key"}},
        {"headers": {"x5c": ["MIIB"]}},
        {"headers": {"typ": "refresh+jwt"}},
        {"headers": {"typ": "at+jwt ", "cty": "JWT"}},
        {"sub": "-1"},
        {"sub": "0"},
        {"exp": 0},
        {"headers": {"jku": "https://attacker.example/jwks.json"}},
        {"headers": {"x5u": "https://attacker.example/cert.pem"}},
        {"headers": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}},
        {"headers": {"crit": ["exp"]}},
        *[{"drop": [name]} for name in ("iss", "aud", "exp", "iat", "sub", "jti", "sid")],
    ],
    ids=str,
)
def test_wrong_claims_and_headers(anonymous, forge, attack):
    assert_problem(me(anonymous, forge(**attack)), 401)


def test_another_key(anonymous, forge):
    assert_problem(me(anonymous, forge(key=Ed25519PrivateKey.generate())), 401)


@pytest.mark.parametrize("kid", [None, 7, True, ["a"], {"a": 1}])
def test_key_ids_of_another_type(anonymous, forge, kid):
    _, body, signature = forge().split(".")
    header = json.dumps({"alg": "EdDSA", "typ": TOKEN_TYPE, "kid": kid}).encode()
    token = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    assert_problem(me(anonymous, f"{token}.{body}.{signature}"), 401)


def test_a_known_key_id_over_the_signature_of_another_key(services, anonymous, forge):
    other = Ed25519PrivateKey.generate()
    for kid in services.tokens._keys.current().verifying:
        assert_problem(me(anonymous, forge(key=other, headers={"kid": kid})), 401)


def test_algorithm_none(anonymous, forge):
    header, body, _ = forge().split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": TOKEN_TYPE}).encode()).rstrip(b"=").decode()
    for token in (f"{none}.{body}.", f"{header}.{body}.", f"{none}.{body}.AAAA"):
        assert_problem(me(anonymous, token), 401)


def test_public_key_as_a_shared_secret(services, anonymous):
    keys = services.tokens._keys.current()
    public = keys.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "1", "sid": "x", "jti": "x", "iat": 1, "exp": 2**40}
    header = {"typ": TOKEN_TYPE, "kid": keys.signing_id}
    assert_problem(me(anonymous, jwt.encode(claims, public, algorithm="HS256", headers=header)), 401)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic YWRtaW46YWRtaW4=",
        "Bearer a.b.c",
        "Bearer ....",
        "Bearer " + "A" * 5000,
        "Bearer \xff",
    ],
)
def test_garbage(anonymous, header):
    assert_problem(anonymous.get("/api/v1/auth/me", headers={"Authorization": header}), 401)


def test_refresh_token_is_no_access_token(anonymous, admin):
    assert_problem(me(anonymous, admin.tokens["refresh_token"]), 401)


def test_access_token_is_no_refresh_token(admin):
    token = admin.tokens["access_token"]
    assert admin.post("/api/v1/auth/refresh", json={"refresh_token": token}).status_code in (401, 422)


def test_published_key_verifies_tokens(anonymous, admin):
    key = jwt.PyJWKSet.from_dict(anonymous.get("/.well-known/jwks.json").json).keys[0]
    token = admin.tokens["access_token"]
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    assert jwt.decode(token, key.key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)["sub"]


def test_a_token_that_was_good_is_refused_when_its_time_is_over(services, monkeypatch):
    monkeypatch.setattr("backend.auth.tokens.ACCESS_TOKEN_SECONDS", 4)
    token = services.tokens.issue(1, "0" * 32)
    assert services.tokens.verify(token) == services.tokens.verify(token)
    time.sleep(4.1)
    with pytest.raises(InvalidToken):
        services.tokens.verify(token)


def test_a_token_that_was_good_is_refused_when_its_key_is_gone(services, monkeypatch):
    token = services.tokens.issue(1, "0" * 32)
    services.tokens.verify(token)
    current = services.tokens._keys.current()
    monkeypatch.setattr(services.tokens._keys, "_set", dataclasses.replace(current, verifying={}))
    with pytest.raises(InvalidToken):
        services.tokens.verify(token)
