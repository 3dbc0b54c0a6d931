"""Shards: off by default; each becomes variables, a mounted password and an open port of whoever needs the database."""

from __future__ import annotations

import pytest
from rendering import Objects, RenderError, environment, pod, render

A = {"name": "a", "type": "postgresql", "host": "a.example.com", "existingSecret": "shard-a"}
B = {
    "name": "eu-2", "type": "mysql", "host": "b.example.com", "port": 3307, "database": "events", "user": "clerk",
    "existingSecret": "shard-b", "sslMode": "verify-full", "caSecret": "shard-b-ca",
}  # fmt: skip
# Everything that asks the database.
COMMANDS = [("Deployment", "flask-backend"), ("Deployment", "flask-backend-worker"), ("Job", "flask-backend-migrate")]


def with_shards(*shards: dict, **global_) -> Objects:
    return render(flask_backend={"shards": list(shards)}, **({"global_": global_} if global_ else {}))


def test_off_by_default() -> None:
    objects = render()
    assert "SHARD" not in str([objects.find(*command) for command in COMMANDS])
    assert str(render()) == str(with_shards())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[1])
def test_every_command_finds_them(command: tuple[str, str]) -> None:
    spec = pod(with_shards(A, B).find(*command))["spec"]
    variables = environment(spec["containers"][0])
    assert {name: value for name, value in variables.items() if name.startswith("SHARD")} == {
        "SHARDS": "a,eu-2",
        "SHARD_A_DB_TYPE": "postgresql",
        "SHARD_A_DB_HOST": "a.example.com",
        "SHARD_A_DB_PORT": "5432",
        "SHARD_A_DB_NAME": "triptych",
        "SHARD_A_DB_USER": "triptych",
        "SHARD_A_DB_PASSWORD_FILE": "/run/secrets/triptych/shard-a-password",
        "SHARD_A_DB_SSLMODE": "prefer",
        "SHARD_EU_2_DB_TYPE": "mysql",
        "SHARD_EU_2_DB_HOST": "b.example.com",
        "SHARD_EU_2_DB_PORT": "3307",
        "SHARD_EU_2_DB_NAME": "events",
        "SHARD_EU_2_DB_USER": "clerk",
        "SHARD_EU_2_DB_PASSWORD_FILE": "/run/secrets/triptych/shard-eu-2-password",
        "SHARD_EU_2_DB_SSLMODE": "verify-full",
        "SHARD_EU_2_DB_CA_FILE": "/run/secrets/triptych/shard-eu-2-ca.crt",
    }
    (secrets,) = [volume["projected"]["sources"] for volume in spec["volumes"] if volume["name"] == "secrets"]
    mounted = {
        item["path"]: (source["secret"]["name"], item["key"])
        for source in secrets
        for item in source["secret"]["items"]
        if item["path"].startswith("shard-")
    }
    assert mounted == {
        "shard-a-password": ("shard-a", "password"),
        "shard-eu-2-password": ("shard-b", "password"),
        "shard-eu-2-ca.crt": ("shard-b-ca", "ca.crt"),
    }


@pytest.mark.parametrize("name", [command[1] for command in COMMANDS])
def test_their_ports_are_open(name: str) -> None:
    egress = with_shards(A, B).find("NetworkPolicy", name)["spec"]["egress"]
    assert {"ports": [{"port": 3307, "protocol": "TCP"}, {"port": 5432, "protocol": "TCP"}]} in egress


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ([A | {"name": "A"}], "name"),
        ([A | {"name": "x" * 21}], "name"),
        ([A | {"type": "sqlite"}], "type"),
        ([A | {"host": ""}], "host"),
        ([A | {"existingSecret": ""}], "existingSecret"),
        ([{key: A[key] for key in ("name", "type", "host")}], "existingSecret"),
        ([A | {"password": "x"}], "password"),
        ([A, A], "a and a need the same environment variables"),
        ([A | {"sslMode": "verify-full"}], "a has sslMode verify-full: set its caSecret"),
    ],
)
def test_refused(shards: list[dict], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        with_shards(*shards)


def test_not_beside_sqlite() -> None:
    with pytest.raises(RenderError, match="choose another engine before you add shards"):
        with_shards(A, database={"engine": "sqlite"})
