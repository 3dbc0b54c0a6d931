"""One-time codes: enrolment, the second step of a login, replays, recovery."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pyotp
import pytest
from api_client import PASSWORD, ApiClient, assert_problem

from backend.auth import second_factor
from backend.auth.login import CHALLENGE_ATTEMPTS
from backend.crypto import CryptoError

LOGIN = {"email": "user@example.com", "password": PASSWORD}
STEP = 60_000_000


@pytest.fixture(autouse=True)
def still_clock(monkeypatch):
    """Time stands still in the middle of a step: none may end between a code and its check."""
    monkeypatch.setattr(second_factor, "time", SimpleNamespace(time=lambda: (STEP + 0.5) * second_factor.STEP_SECONDS))


def code_of(secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(STEP + steps)


def wrong(secret: str) -> str:
    near = {code_of(secret, steps) for steps in range(-2, 3)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in near)


def enrol(client: ApiClient) -> tuple[str, list[str]]:
    """Turn the factor on with the code of the step before: the present one stays unused."""
    answer = client.post("/api/v1/auth/totp", json={"password": PASSWORD})
    assert answer.status_code == 201, answer.text
    secret = answer.json["secret"]
    confirmed = client.post("/api/v1/auth/totp/confirm", json={"code": code_of(secret, -1)})
    assert confirmed.status_code == 200, confirmed.text
    return secret, confirmed.json["recovery_codes"]


@pytest.fixture
def user(app, admin) -> ApiClient:
    admin.create_user()
    return ApiClient(app).login("user@example.com", PASSWORD)


@pytest.fixture
def factor(user) -> tuple[str, list[str]]:
    return enrol(user)


def challenge(client: ApiClient) -> str:
    answer = client.post("/api/v1/auth/login", json=LOGIN)
    assert answer.status_code == 202, answer.text
    assert set(answer.json) == {"challenge_token", "expires_in"}
    return answer.json["challenge_token"]


def finish(client: ApiClient, token: str, code: str):
    return client.post("/api/v1/auth/login/second-factor", json={"challenge_token": token, "code": code})


def test_login_takes_two_steps(user, anonymous, factor):
    secret, _ = factor
    assert user.get("/api/v1/auth/totp").json == {"enabled": True, "recovery_codes_left": 10}
    assert user.get("/api/v1/auth/me").json["totp_enabled"] is True
    answer = finish(anonymous, challenge(anonymous), code_of(secret))
    assert answer.status_code == 200
    anonymous.tokens = answer.json
    assert anonymous.get("/api/v1/auth/me").json["email"] == "user@example.com"


def test_the_address_is_what_authenticators_scan(user):
    answer = user.post("/api/v1/auth/totp", json={"password": PASSWORD}).json
    parsed = pyotp.parse_uri(answer["provisioning_uri"])
    assert (parsed.secret, parsed.name, parsed.issuer) == (answer["secret"], "user@example.com", "Triptych")


def test_an_enrolment_that_is_not_confirmed_changes_nothing(user, anonymous):
    user.post("/api/v1/auth/totp", json={"password": PASSWORD})
    assert anonymous.post("/api/v1/auth/login", json=LOGIN).status_code == 200


def test_a_code_is_good_once(anonymous, factor):
    secret, _ = factor
    code = code_of(secret)
    assert finish(anonymous, challenge(anonymous), code).status_code == 200
    assert_problem(finish(anonymous, challenge(anonymous), code), 401)
    assert_problem(finish(anonymous, challenge(anonymous), code_of(secret, -1)), 401)
    assert finish(anonymous, challenge(anonymous), code_of(secret, 1)).status_code == 200


def test_of_concurrent_uses_of_a_code_one_wins(app, anonymous, factor):
    code = code_of(factor[0])
    tokens = [challenge(anonymous) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda token: finish(ApiClient(app), token, code).status_code, tokens))
    assert sorted(answers) == [200] + [401] * 5


def test_a_challenge_is_good_once(anonymous, factor):
    secret, codes = factor
    token = challenge(anonymous)
    assert finish(anonymous, token, code_of(secret)).status_code == 200
    assert_problem(finish(anonymous, token, codes[0]), 401)


def test_a_challenge_bears_few_wrong_codes(anonymous, factor):
    secret, _ = factor
    token = challenge(anonymous)
    for _ in range(CHALLENGE_ATTEMPTS):
        assert_problem(finish(anonymous, token, wrong(secret)), 401)
    assert_problem(finish(anonymous, token, code_of(secret)), 401)


def test_guessing_codes_with_new_challenges_is_throttled(anonymous, factor):
    statuses = [finish(anonymous, challenge(anonymous), wrong(factor[0])).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_old_codes_are_refused(anonymous, factor):
    for steps in (-3, -2, 2, 3):
        assert_problem(finish(anonymous, challenge(anonymous), code_of(factor[0], steps)), 401)


def test_recovery_codes_are_good_once(user, anonymous, factor):
    _, codes = factor
    assert len(set(codes)) == 10
    assert finish(anonymous, challenge(anonymous), codes[0]).status_code == 200
    assert_problem(finish(anonymous, challenge(anonymous), codes[0]), 401)
    assert finish(anonymous, challenge(anonymous), codes[1].lower().replace("-", "")).status_code == 200
    assert user.get("/api/v1/auth/totp").json["recovery_codes_left"] == 8


def test_recovery_codes_can_be_replaced(user, anonymous, factor):
    secret, old = factor
    body = {"password": PASSWORD, "code": code_of(secret)}
    new = user.post("/api/v1/auth/totp/recovery-codes", json=body).json["recovery_codes"]
    assert_problem(finish(anonymous, challenge(anonymous), old[0]), 401)
    assert finish(anonymous, challenge(anonymous), new[0]).status_code == 200


def test_turning_it_off_needs_both_factors(user, anonymous, factor):
    secret, codes = factor
    path = "/api/v1/auth/totp/disable"
    assert_problem(user.post(path, json={"password": "wrong", "code": codes[0]}), 403)
    assert_problem(user.post(path, json={"password": PASSWORD, "code": wrong(secret)}), 403)
    assert user.post(path, json={"password": PASSWORD, "code": codes[0]}).status_code == 204
    assert anonymous.post("/api/v1/auth/login", json=LOGIN).status_code == 200


def test_a_factor_that_is_on_cannot_be_replaced_by_a_stolen_session(user, factor):
    assert_problem(user.post("/api/v1/auth/totp", json={"password": PASSWORD}), 409)
    assert_problem(user.post("/api/v1/auth/totp/confirm", json={"code": code_of(factor[0])}), 403)


def test_an_admin_helps_who_lost_the_device(admin, user, anonymous, factor):
    token = challenge(anonymous)
    user_id = user.tokens["user"]["id"]
    assert admin.delete(f"/api/v1/users/{user_id}/totp").status_code == 204
    assert_problem(user.get("/api/v1/auth/me"), 401)
    assert_problem(finish(anonymous, token, code_of(factor[0])), 401)
    assert anonymous.post("/api/v1/auth/login", json=LOGIN).status_code == 200


@pytest.mark.parametrize("change", [{"password": "another password"}, {"is_active": False}, {"role": "maintainer"}])
def test_a_challenge_dies_with_a_change_of_rights(admin, user, anonymous, factor, change):
    token = challenge(anonymous)
    assert admin.patch(f"/api/v1/users/{user.tokens['user']['id']}", json=change).status_code == 200
    assert_problem(finish(anonymous, token, code_of(factor[0])), 401)


def test_a_challenge_dies_with_its_user(admin, user, anonymous, factor):
    token = challenge(anonymous)
    admin.delete(f"/api/v1/users/{user.tokens['user']['id']}")
    assert_problem(finish(anonymous, token, code_of(factor[0])), 401)


def test_a_challenge_of_another_user_is_no_help(app, admin, anonymous, factor):
    admin.create_user(email="thief@example.com")
    thief = ApiClient(app).login("thief@example.com", PASSWORD)
    secret, codes = enrol(thief)
    token = challenge(anonymous)
    for code in (code_of(secret), codes[0]):
        assert_problem(finish(anonymous, token, code), 401)


def test_a_challenge_token_is_neither_access_nor_refresh_token(anonymous, factor):
    token = challenge(anonymous)
    assert_problem(anonymous.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}), 401)
    assert_problem(anonymous.post("/api/v1/auth/refresh", json={"refresh_token": token}), 401)


def test_other_tokens_are_no_challenge(user, anonymous, factor):
    for token in (user.tokens["refresh_token"], user.tokens["access_token"][:200]):
        assert_problem(finish(anonymous, token, code_of(factor[0])), 401)


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345６", "abcdef", "\x00" * 6, "A" * 23, "000000\n", None, 123456]
)
def test_what_looks_like_no_code(anonymous, factor, code):
    assert_problem(finish(anonymous, challenge(anonymous), code), 422)


def test_secrets_are_stored_encrypted_and_bound_to_their_user(admin, services, user, factor):
    secret, codes = factor
    row = services.database.read(
        lambda db: db.executesql("SELECT id, totp_secret FROM users WHERE email = 'user@example.com'")
    )[0]
    assert secret not in row[1]
    assert second_factor.unseal(services.totp_secrets, row[0], row[1]) == secret
    with pytest.raises(CryptoError, match="belongs to user"):
        second_factor.unseal(services.totp_secrets, row[0] + 1, row[1])
    stored = str(services.database.read(lambda db: db.executesql("SELECT * FROM recovery_codes")))
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
