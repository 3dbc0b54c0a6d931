"""Guessing is slow, from one address or from many; a stranger locks nobody out."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from api_client import ApiClient, assert_problem

from backend.app import create_app
from backend.auth import counters
from backend.auth import throttle as module
from backend.auth.counters import MemoryCounters
from backend.auth.throttle import ACCOUNT_LIMIT, ADDRESS_LIMIT, PAIR_LIMIT, LoginThrottle, Throttled, network_of

WRONG = {"email": "admin@example.com", "password": "wrong"}
RIGHT = WRONG | {"password": "admin"}


def login(client: ApiClient, body: dict, address: str = "127.0.0.1"):
    return client.post("/api/v1/auth/login", json=body, environ_base={"REMOTE_ADDR": address})


def begin(throttle: LoginThrottle, account: str, address: str, known: bool = False):
    return throttle.begin("login", account, address, lambda: known)


def attack(throttle: LoginThrottle, account: str, attempts: int) -> None:
    """Failed attempts from as many addresses."""
    for number in range(attempts):
        begin(throttle, account, f"198.51.{number // 250}.{number % 250}")


def test_one_address_guessing_one_account(anonymous):
    for _ in range(PAIR_LIMIT):
        assert_problem(login(anonymous, WRONG), 401)
    answer = login(anonymous, RIGHT)
    assert_problem(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= module.PAIR_WINDOW
    assert login(anonymous, RIGHT, "192.0.2.7").status_code == 200


def test_throttled_attempts_are_counted_by_scope(anonymous, services, monkeypatch):
    def refused(scope: str) -> float:
        return (
            services.metrics.registry.get_sample_value("throttled_attempts_total", {"kind": "login", "scope": scope})
            or 0.0
        )

    scopes = ("address", "pair", "account")
    before = {scope: refused(scope) for scope in scopes}
    for _ in range(PAIR_LIMIT + 1):
        login(anonymous, WRONG)
    monkeypatch.setattr(module, "ADDRESS_LIMIT", 3)
    for number in range(4):
        login(anonymous, WRONG | {"email": f"{number}@example.com"}, "192.0.2.50")
    monkeypatch.setattr(module, "ACCOUNT_LIMIT", 1)
    for number in range(4):
        login(anonymous, WRONG | {"email": "b@example.com"}, f"192.0.2.{60 + number}")
    # Beyond the account's limit one attempt a minute goes on.
    assert {scope: refused(scope) - before[scope] for scope in scopes} == {"address": 1, "pair": 1, "account": 2}


def test_busy_logins_are_counted(anonymous, services, monkeypatch):
    def busy() -> float:
        return services.metrics.registry.get_sample_value("login_attempts_total", {"outcome": "busy"}) or 0.0

    before = busy()
    monkeypatch.setattr(services.hasher, "_patience", 0.01)
    with ExitStack() as stack:
        while services.hasher._slots.acquire(blocking=False):
            stack.callback(services.hasher._slots.release)
        assert_problem(login(anonymous, RIGHT), 503)
    assert busy() == before + 1


def test_a_throttle_without_its_redis_shows_in_the_metrics(settings):
    def degraded(**values) -> float:
        services = create_app(settings.model_copy(update=values)).extensions["backend"]
        begin(services.throttle, "a@example.com", "192.0.2.1")
        return services.metrics.registry.get_sample_value("throttle_degraded")

    assert degraded() == 0
    assert degraded(redis_host="127.0.0.1", redis_port=1) == 1


def test_retry_after_is_when_the_next_attempt_is_looked_at(anonymous, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(counters, "time", SimpleNamespace(monotonic=lambda: clock.now))
    for _ in range(PAIR_LIMIT):
        login(anonymous, WRONG)
    clock.now = 100.5
    wait = int(login(anonymous, RIGHT).headers["Retry-After"])
    assert wait == module.PAIR_WINDOW - 100
    clock.now += wait - 1
    assert_problem(login(anonymous, RIGHT), 429)
    clock.now += 1
    assert login(anonymous, RIGHT).status_code == 200


def test_one_address_trying_many_accounts():
    throttle = LoginThrottle(None)
    for number in range(ADDRESS_LIMIT):
        begin(throttle, f"{number}@example.com", "192.0.2.9")
    with pytest.raises(Throttled):
        begin(throttle, "one-more@example.com", "192.0.2.9")
    assert begin(throttle, "one-more@example.com", "192.0.2.10")


def test_many_addresses_guessing_one_account_are_slowed_down_but_never_shut_out():
    throttle = LoginThrottle(None)
    attack(throttle, "victim@example.com", ACCOUNT_LIMIT)
    assert begin(throttle, "victim@example.com", "203.0.113.1")
    with pytest.raises(Throttled) as caught:
        begin(throttle, "victim@example.com", "203.0.113.2")
    assert 0 < caught.value.retry_after <= module.SLOW_WINDOW
    assert begin(throttle, "other@example.com", "203.0.113.2")


def test_the_owner_at_a_known_address_is_not_held_up():
    throttle = LoginThrottle(None)
    attack(throttle, "victim@example.com", ACCOUNT_LIMIT)
    for _ in range(3):
        throttle.succeeded(begin(throttle, "victim@example.com", "203.0.113.50", known=True))


def test_an_address_of_an_earlier_login_is_known(services, anonymous):
    assert login(anonymous, RIGHT, "192.0.2.77").status_code == 200
    attack(services.throttle, "admin@example.com", ACCOUNT_LIMIT)
    assert login(anonymous, RIGHT, "192.0.2.77").status_code == 200
    assert login(anonymous, RIGHT, "203.0.113.60").status_code == 200, "the one slow turn"
    assert_problem(login(anonymous, RIGHT, "203.0.113.61"), 429)


def test_an_unknown_account_is_throttled_as_a_known_one(services, anonymous):
    answers = {}
    for email in ("admin@example.com", "nobody@example.com"):
        attack(services.throttle, email, ACCOUNT_LIMIT)
        body = {"email": email, "password": "wrong"}
        answers[email] = [login(anonymous, body, f"203.0.113.{n}").status_code for n in range(3)]
        services.throttle.counters.memory = MemoryCounters()
    assert answers["admin@example.com"] == answers["nobody@example.com"] == [401, 429, 429]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff", "2001:db8::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_network_counts_as_one_client(address, network):
    assert network_of(address) == network
