"""Secrets are made by one hook Job, and each can be replaced."""

from __future__ import annotations

import json

import pytest
from rendering import Objects, pod, render

NAMES = {
    "demo-postgresql-credentials",
    "demo-redis-credentials",
    "demo-flask-backend-keys",
    "demo-flask-backend-encryption",
    "demo-flask-backend-first-admin",
}
# A value that replaces a Secret, and the Secret it replaces.
REPLACED = {
    "global.database.existingSecret": (
        {"global": {"database": {"existingSecret": "mine"}}},
        "demo-postgresql-credentials",
    ),
    "global.redis.existingSecret": ({"global": {"redis": {"existingSecret": "mine"}}}, "demo-redis-credentials"),
    "signingKey.existingSecret": (
        {"flask-backend": {"signingKey": {"existingSecret": "mine"}}},
        "demo-flask-backend-keys",
    ),
    "encryptionKey.existingSecret": (
        {"flask-backend": {"encryptionKey": {"existingSecret": "mine"}}},
        "demo-flask-backend-encryption",
    ),
    "firstAdmin.existingSecret": (
        {"flask-backend": {"firstAdmin": {"existingSecret": "mine"}}},
        "demo-flask-backend-first-admin",
    ),
}


def spec(objects: Objects) -> dict[str, dict]:
    """The bootstrap file: keys of each Secret, or its certificate, by its name."""
    entries = json.loads(objects.find("ConfigMap", "bootstrap-secrets")["data"]["secrets.json"])
    return {entry["name"]: entry.get("keys") or {"certificate": entry["certificate"]} for entry in entries}


def test_nothing_secret_is_rendered() -> None:
    for file in ("values-alpha.yaml", "values-beta.yaml", "values-production.yaml"):
        assert not render(file).of("Secret")


def test_default_secrets() -> None:
    secrets = spec(render())
    assert secrets.keys() == NAMES
    password = {"type": "password", "length": 32}
    assert secrets["demo-postgresql-credentials"] == {"admin-password": password, "password": password}
    assert secrets["demo-redis-credentials"] == {"password": password}
    assert secrets["demo-flask-backend-keys"] == {"signing.pem": {"type": "ed25519"}}
    assert secrets["demo-flask-backend-encryption"] == {"encryption.key": {"type": "password", "length": 64}}
    assert secrets["demo-flask-backend-first-admin"] == {"password": {"type": "password", "length": 24}}


def test_certificates_are_made_only_when_asked_for() -> None:
    objects = render(global_={"goBackend": {"enabled": True, "tls": {"generate": True}}})
    secrets = spec(objects)
    assert secrets.keys() - NAMES == {"demo-go-backend-ca", "demo-go-backend-tls", "demo-go-backend-client-tls"}
    assert secrets["demo-go-backend-ca"] == {"certificate": {}}
    server, client = (secrets[f"demo-go-backend-{name}"]["certificate"] for name in ("tls", "client-tls"))
    assert server["authority"] == client["authority"] == "demo-go-backend-ca"
    assert objects.find("Service", "go-backend")["metadata"]["name"] in server["hosts"]
    assert set(mounted_secrets(objects)) == secrets.keys() - {"demo-go-backend-ca"}, (
        "nobody is given the authority's key"
    )
    assert spec(render(global_={"goBackend": {"tls": {"generate": True}}})).keys() == NAMES


def test_alpha_has_the_known_login_and_plain_names() -> None:
    secrets = spec(render("values-alpha.yaml"))
    assert secrets["flask-backend-first-admin"] == {"password": {"type": "literal", "value": "admin"}}


def test_mysql_has_its_own_secret() -> None:
    secrets = spec(render(global_={"database": {"engine": "mysql"}}))
    assert "demo-mysql-credentials" in secrets and "demo-postgresql-credentials" not in secrets


def test_secrets_not_needed_are_not_made() -> None:
    secrets = spec(render("ci/minimal-values.yaml"))
    assert secrets.keys() == {name for name in NAMES if "flask-backend" in name}
    assert "demo-flask-backend-keys" in spec(render("ci/external-values.yaml"))
    assert "demo-postgresql-credentials" not in spec(render("ci/external-values.yaml"))


@pytest.mark.parametrize("values, name", REPLACED.values(), ids=REPLACED.keys())
def test_existing_secret_replaces(values: dict, name: str) -> None:
    assert name in str(list(render()))
    objects = render(**values)
    assert spec(objects).keys() == NAMES - {name}
    assert f"'{name}'" not in str(list(objects)), "the generated Secret is still mentioned"
    assert "'mine'" in str(list(objects.workloads))


def test_all_existing_secrets_leave_no_job_and_no_role() -> None:
    values: dict = {"global": {}, "flask-backend": {}}
    for changes, _ in REPLACED.values():
        for chart, settings in changes.items():
            values[chart] |= settings
    objects = render(**values)
    assert not objects.has("Job", "bootstrap-secrets")
    assert not objects.of("Role", "RoleBinding")


def test_every_mounted_secret_is_made() -> None:
    for values in ({}, {"global": {"database": {"engine": "mysql"}}}, {"global": {"database": {"engine": "sqlite"}}}):
        objects = render(**values)
        assert set(mounted_secrets(objects)) == spec(objects).keys()


def mounted_secrets(objects: Objects):
    """Names of the Secrets in any volume."""
    for text in json.dumps(list(objects.workloads)).split('"secret": {')[1:]:
        entry = json.loads("{" + text[: text.index("}]") + 2] + "}")
        yield entry.get("name") or entry["secretName"]


def test_role_reads_only_its_secrets() -> None:
    objects = render()
    role = objects.find("Role", "bootstrap-secrets")
    create, get = role["rules"]
    assert (create["verbs"], create["resources"]) == (["create"], ["secrets"])
    assert (get["verbs"], set(get["resourceNames"])) == (["get"], NAMES)
    (subject,) = objects.find("RoleBinding", "bootstrap-secrets")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("demo-bootstrap-secrets", "somewhere")


@pytest.mark.parametrize("existing", ["", "mine"])
def test_rotation_may_change_the_signing_key_and_nothing_else(existing: str) -> None:
    values = {"signingKey": {"existingSecret": existing, "rotation": {"schedule": "0 3 1 * *", "timeZone": "UTC"}}}
    objects, secret = render(flask_backend=values), existing or "demo-flask-backend-keys"
    (rule,) = objects.find("Role", "rotate-keys")["rules"]
    assert rule == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "patch"], "resourceNames": [secret]}
    binding = objects.find("RoleBinding", "rotate-keys")
    assert [subject["name"] for subject in binding["subjects"]] == ["demo-rotate-keys"]
    job = objects.find("CronJob", "rotate-keys")
    spec_ = job["spec"]
    assert (spec_["schedule"], spec_["timeZone"], spec_["concurrencyPolicy"]) == ("0 3 1 * *", "UTC", "Forbid")
    (container,) = pod(job)["spec"]["containers"]
    assert container["args"] == ["rotate-keys", "--secret", secret, "--namespace", "somewhere", "--wait"]
    # The steps take 15 minutes.
    assert spec_["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 1800


def test_nothing_rotates_by_default() -> None:
    for file in ("values-alpha.yaml", "values-beta.yaml", "values-production.yaml"):
        assert not render(file).of("CronJob")


def test_hook_runs_in_order_before_install_and_upgrade() -> None:
    order = []
    for kind in ("ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Job"):
        notes = render().find(kind, "bootstrap-secrets")["metadata"]["annotations"]
        assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert notes["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        order.append(int(notes["helm.sh/hook-weight"]))
    assert order == sorted(order) and order[-1] > order[-2]


def test_generated_labels_do_not_change_with_the_version() -> None:
    entries = json.loads(render().find("ConfigMap", "bootstrap-secrets")["data"]["secrets.json"])
    for entry in entries:
        assert entry["labels"] == {
            "app.kubernetes.io/name": "generated-secret",
            "app.kubernetes.io/instance": "demo",
            "app.kubernetes.io/part-of": "triptych",
        }


def test_keys_that_come_and_go_keep_no_pod_waiting() -> None:
    spec_ = render().find("Deployment", "flask-backend")["spec"]["template"]["spec"]
    sources = next(volume for volume in spec_["volumes"] if volume["name"] == "secrets")["projected"]["sources"]
    optional = {
        item["key"]: source["secret"].get("optional", False) for source in sources for item in source["secret"]["items"]
    }
    assert {key for key, value in optional.items() if value} == {"next.pem", "previous.pem"}


@pytest.mark.parametrize(
    "values, variable",
    [({}, None), ({"flask-backend": {"firstAdmin": {"mustChangePassword": False}}}, "false")],
    ids=["default", "off"],
)
def test_the_first_admin_must_change_the_password_unless_told_otherwise(values: dict, variable: str | None) -> None:
    (container,) = render(**values).find("Job", "flask-backend-migrate")["spec"]["template"]["spec"]["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert environment.get("FIRST_ADMIN_MUST_CHANGE_PASSWORD") == variable
