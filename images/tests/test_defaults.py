"""What each data image promises besides the conventions they share."""

import pytest
from containers import Containers
from servers import MARIADB, POSTGRESQL, REDIS


@pytest.fixture(scope="module")
def postgresql(references):
    with Containers(references) as started:
        variables = POSTGRESQL.environment | {"POSTGRES_DB": 'my "shop"'}
        container = started.run(POSTGRESQL, environment=variables, arguments=("-c", "work_mem=5MB"))
        container.wait_healthy()
        yield container


@pytest.fixture(scope="module")
def mariadb(references):
    with Containers(references) as started:
        variables = {"MARIADB_DATABASE": "my_shop", "MARIADB_USER": "o'app", "MARIADB_PASSWORD": "it's"}
        variables |= MARIADB.environment
        container = started.run(MARIADB, environment=variables, arguments=("--max-connections=42",))
        container.wait_healthy()
        yield container


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SHOW data_checksums", "on"),
        ("SHOW server_encoding", "UTF8"),
        ("SHOW password_encryption", "scram-sha-256"),
        ("SHOW work_mem", "5MB"),
        ("SELECT count(*) FROM pg_database WHERE datname = 'my \"shop\"'", "1"),
        ("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'postgres'", "b|C.UTF-8"),
        ("SELECT count(*) FROM pg_hba_file_rules WHERE type = 'host' AND auth_method <> 'scram-sha-256'", "0"),
    ],
)
def test_postgresql(postgresql, query, answer):
    assert postgresql.ask(query) == answer


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT @@character_set_server, @@local_infile, @@skip_name_resolve", "utf8mb4\t0\t1"),
        ("SELECT @@max_connections", "42"),
        ("SELECT count(*) FROM mysql.global_priv WHERE User = ''", "0"),
        ("SELECT group_concat(Host) FROM mysql.global_priv WHERE User = 'root'", "localhost"),
        ("SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'test'", "0"),
    ],
)
def test_mariadb(mariadb, query, answer):
    assert mariadb.ask(query) == answer


def test_mariadb_account_of_the_application(mariadb):
    command = ("mariadb", "--host=127.0.0.1", "--user=o'app", "--batch", "--skip-column-names")
    table = "CREATE TABLE my_shop.t (s varchar(3));"
    made = mariadb.run(*command, stdin=table + "INSERT INTO my_shop.t VALUES ('€😀ü');", MYSQL_PWD="it's")
    assert made.returncode == 0, made.stderr
    assert mariadb.run(*command, stdin="SELECT * FROM my_shop.t;", MYSQL_PWD="it's").stdout == "€😀ü\n"
    too_long = mariadb.run(*command, stdin="INSERT INTO my_shop.t VALUES ('1234');", MYSQL_PWD="it's")
    assert "Data too long" in too_long.stderr
    # _ in the name of a database is a wildcard in a grant.
    assert mariadb.run(*command, stdin="CREATE DATABASE myxshop;", MYSQL_PWD="it's").returncode != 0
    assert mariadb.run(*command, stdin="SELECT 1;", MYSQL_PWD="its").returncode != 0


def test_mariadb_application_needs_a_password(containers):
    variables = MARIADB.environment | {"MARIADB_USER": "app"}
    container = containers.run(MARIADB, environment=variables)
    assert container.wait_exit() != 0
    assert container.log == "mariadb: no password for app: set MARIADB_PASSWORD or MARIADB_PASSWORD_FILE\n"


def test_redis(containers):
    variables = REDIS.environment | {"REDIS_MAXMEMORY": "64mb"}
    container = containers.run(REDIS, environment=variables, arguments=("--maxmemory-policy", "allkeys-lru"))
    container.wait_healthy()
    settings = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory": "67108864"}
    settings |= {"maxmemory-policy": "allkeys-lru", "protected-mode": "yes"}
    for name, value in settings.items():
        assert container.ask(f"CONFIG GET {name}").split() == [name, value]


def test_redis_refuses_a_password_it_cannot_write_down(containers):
    container = containers.run(REDIS, environment={"REDIS_PASSWORD": "two\nlines"})
    assert container.wait_exit() != 0
    assert "control character" in container.log
