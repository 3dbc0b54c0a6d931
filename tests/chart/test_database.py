"""One value chooses the database, and everything that depends on it follows."""

from __future__ import annotations

import pytest
from rendering import Objects, environment, pod, render

EXTERNAL = {"host": "db.example.com", "name": "shop", "user": "clerk", "existingSecret": "db"}
SERVERS = {"postgresql", "mysql"}


def with_engine(engine: str, **external) -> Objects:
    database = {"engine": engine, **({"external": external} if external else {})}
    return render(global_={"database": database})


def server_environment(objects: Objects) -> dict[str, str]:
    return environment(pod(objects.find("Deployment", "flask-backend"))["spec"]["containers"][0])


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "sqlite"])
def test_only_the_chosen_server_is_installed(engine: str) -> None:
    objects = with_engine(engine)
    assert {name for name in SERVERS if objects.has("StatefulSet", name)} == {engine} & SERVERS
    assert {name for name in SERVERS if objects.has("Service", name)} == {engine} & SERVERS
    assert server_environment(objects)["DB_TYPE"] == engine


@pytest.mark.parametrize("engine, port", [("postgresql", "5432"), ("mysql", "3306")])
def test_backend_finds_the_server(engine: str, port: str) -> None:
    objects = with_engine(engine)
    variables = server_environment(objects)
    assert variables["DB_HOST"] == objects.find("Service", engine)["metadata"]["name"]
    assert (variables["DB_PORT"], variables["DB_NAME"], variables["DB_USER"]) == (port, "triptych", "triptych")


@pytest.mark.parametrize("type_, port", [("postgresql", "5432"), ("mysql", "3306")])
def test_external_server(type_: str, port: str) -> None:
    objects = with_engine("external", type=type_, **EXTERNAL)
    assert not any(objects.has("StatefulSet", name) for name in SERVERS)
    variables = server_environment(objects)
    assert variables.items() >= {
        "DB_TYPE": type_, "DB_HOST": "db.example.com", "DB_PORT": port,
        "DB_NAME": "shop", "DB_USER": "clerk", "DB_SSLMODE": "prefer",
    }.items()  # fmt: skip
    assert "DB_CA_FILE" not in variables


def test_read_replica_takes_the_port_of_its_primary_unless_told_otherwise() -> None:
    for port, expected in ((0, "6432"), (7000, "7000")):
        objects = with_engine("external", **EXTERNAL, port=6432, replica={"host": "reader", "port": port})
        for name in ("flask-backend", "flask-backend-worker"):
            variables = environment(pod(objects.find("Deployment", name))["spec"]["containers"][0])
            assert (variables["DB_REPLICA_HOST"], variables["DB_REPLICA_PORT"]) == ("reader", expected)
    assert "DB_REPLICA_HOST" not in server_environment(with_engine("external", **EXTERNAL))


def test_pool_is_set_for_those_who_share_it() -> None:
    objects = render(flask_backend={"database": {"poolSize": 7}})
    for name in ("flask-backend", "flask-backend-worker"):
        assert environment(pod(objects.find("Deployment", name))["spec"]["containers"][0])["DB_POOL_SIZE"] == "7"


def test_external_server_with_its_own_authority() -> None:
    objects = with_engine("external", **EXTERNAL, port=6432, sslMode="verify-full", caSecret="db-ca")
    variables = server_environment(objects)
    assert variables["DB_PORT"] == "6432"
    assert variables["DB_CA_FILE"] == "/run/secrets/triptych/database-ca.crt"
    assert "db-ca" in str(objects.find("Job", "flask-backend-migrate"))


def test_migration_and_server_use_the_same_database() -> None:
    for engine in SERVERS:
        objects = with_engine(engine)
        server = server_environment(objects)
        job = environment(pod(objects.find("Job", "flask-backend-migrate"))["spec"]["containers"][0])
        assert {k: v for k, v in server.items() if k.startswith("DB_")} == {"DB_POOL_SIZE": "32"} | {
            k: v for k, v in job.items() if k.startswith("DB_")
        }


def test_sqlite_migrates_in_the_one_pod_that_has_the_file() -> None:
    objects = with_engine("sqlite")
    assert not objects.has("Job", "flask-backend-migrate")
    spec = objects.find("Deployment", "flask-backend")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    (init,) = spec["template"]["spec"]["initContainers"]
    (main,) = spec["template"]["spec"]["containers"]
    assert init["args"] == ["migrate"]
    assert environment(init)["DB_SQLITE_PATH"] == environment(main)["DB_SQLITE_PATH"]
    claim = objects.of("PersistentVolumeClaim")[0]["metadata"]
    assert claim["annotations"]["helm.sh/resource-policy"] == "keep"
    volumes = {volume["name"]: volume for volume in spec["template"]["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["name"]
    for container in (init, main):
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert environment(main)["DB_SQLITE_PATH"].startswith(mounts["data"])


def test_servers_take_parameters() -> None:
    objects = render(postgresql={"parameters": {"shared_buffers": "1GB", "max_connections": 50}})
    args = objects.find("StatefulSet", "postgresql")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args == ["postgres", "-c", "huge_pages=off", "-c", "max_connections=50", "-c", "shared_buffers=1GB"]
    objects = render(global_={"database": {"engine": "mysql"}}, mysql={"parameters": {"max_connections": 50}})
    args = objects.find("StatefulSet", "mysql")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[-1] == "--max_connections=50"


def test_application_role_script_never_holds_a_password() -> None:
    script = render().find("ConfigMap", "postgresql")["data"]["application-role.sh"]
    assert script.startswith("#!/bin/sh\n") and "<<'SQL'" in script
    assert "`cat /run/secrets/triptych/database-password`" in script and "PASSWORD :'password'" in script
