"""Rules for every pod of every values file: security, resources, probes, secrets."""

from __future__ import annotations

import pytest
from components import BY_KIND_AND_NAME, Component
from rendering import CI_FILES, VALUES_FILES, component, containers, environment, pod, render

every_file = pytest.mark.parametrize("file", [*VALUES_FILES, *CI_FILES])


def own_workloads(file: str) -> list[dict]:
    """Workloads of the chart itself, not the extra objects."""
    return [workload for workload in render(file).workloads if component(workload)]


def registered(workload: dict) -> Component:
    return BY_KIND_AND_NAME[workload["kind"], component(workload)]


@every_file
def test_pods_are_restricted(file: str) -> None:
    for workload in own_workloads(file):
        spec = pod(workload)["spec"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.get("hostPID") and not spec.get("hostIPC")
        paths = {volume["hostPath"]["path"] for volume in spec.get("volumes", []) if "hostPath" in volume}
        assert paths == registered(workload).host_paths
        if not registered(workload).host_network:
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 10001


@every_file
def test_containers_are_restricted(file: str) -> None:
    for workload in own_workloads(file):
        for container in containers(workload):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"]["drop"] == ["ALL"]
            assert "privileged" not in context
            assert set(context["capabilities"].get("add", [])) == registered(workload).capabilities


@every_file
def test_containers_have_resources(file: str) -> None:
    for workload in own_workloads(file):
        for container in containers(workload):
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


@every_file
def test_service_accounts_are_dedicated(file: str) -> None:
    objects = render(file)
    accounts = {account["metadata"]["name"]: account for account in objects.of("ServiceAccount")}
    seen = set()
    for workload in objects.workloads:
        name = pod(workload)["spec"]["serviceAccountName"]
        assert accounts[name]["automountServiceAccountToken"] is False
        assert name not in seen, f"{name} is shared"
        seen.add(name)
    assert seen == accounts.keys()


@every_file
def test_no_service_links(file: str) -> None:
    """A Service called redis would set REDIS_PORT=tcp://…, which the programs read as their own."""
    assert all(pod(workload)["spec"]["enableServiceLinks"] is False for workload in render(file).workloads)


@every_file
def test_probes_never_exec_and_use_a_port_of_the_container(file: str) -> None:
    for workload in own_workloads(file):
        for container in containers(workload):
            ports = {value for port in container.get("ports", []) for value in (port["name"], port["containerPort"])}
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                (handler,) = (
                    {"httpGet", "tcpSocket", "grpc"} & container[kind].keys() if kind in container else ["none"]
                )
                assert handler == "none" or container[kind][handler]["port"] in ports
                assert "exec" not in container.get(kind, {})


@every_file
def test_secrets_are_files(file: str) -> None:
    for workload in own_workloads(file):
        for container in containers(workload):
            assert "envFrom" not in container
            assert not any("secretKeyRef" in entry.get("valueFrom", {}) for entry in container.get("env", []))
            mounts = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
            for name, value in environment(container).items():
                if name.endswith("_FILE"):
                    assert value.startswith("/run/secrets/triptych/") and "/run/secrets/triptych" in mounts
                assert not name.endswith("_PASSWORD")


@every_file
def test_secret_files_are_projected(file: str) -> None:
    """Each *_FILE variable names a file that the secrets volume really has."""
    for workload in own_workloads(file):
        files = secret_files(pod(workload)["spec"])
        for container in containers(workload):
            for name, value in environment(container).items():
                assert not name.endswith("_FILE") or value.rsplit("/", 1)[1] in files, (component(workload), name)


def secret_files(spec: dict) -> set[str]:
    """Names of the files in the volume called secrets."""
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    if "secrets" not in volumes:
        return set()
    volume = volumes["secrets"]
    sources = [source["secret"] for source in volume.get("projected", {}).get("sources", [])] or [volume["secret"]]
    return {item["path"] for source in sources for item in source["items"]}


@every_file
def test_every_mount_has_a_volume_and_every_volume_a_mount(file: str) -> None:
    for workload in render(file).workloads:
        spec = pod(workload)["spec"]
        claims = workload["spec"].get("volumeClaimTemplates", [])
        volumes = {v["name"] for v in spec.get("volumes", [])} | {claim["metadata"]["name"] for claim in claims}
        assert volumes == {m["name"] for container in containers(workload) for m in container.get("volumeMounts", [])}


def test_production_spreads_and_protects_what_it_replicates() -> None:
    objects = render("values-production.yaml")
    for name in ("webui", "flask-backend"):
        spec = objects.find("Deployment", name)["spec"]
        assert spec["replicas"] >= 2
        keys = {rule["topologyKey"] for rule in spec["template"]["spec"]["topologySpreadConstraints"]}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        budget = objects.find("PodDisruptionBudget", name)["spec"]
        assert budget["selector"]["matchLabels"] == spec["selector"]["matchLabels"]
    assert not objects.has("DaemonSet", "go-backend")


def test_one_replica_has_no_budget_that_would_block_a_drain() -> None:
    assert not render("values-alpha.yaml").of("PodDisruptionBudget")


@pytest.mark.parametrize("chart", ["webui", "flask-backend"])
def test_autoscaling_owns_the_replicas(chart: str) -> None:
    objects = render(**{chart: {"autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 5}}})
    assert "replicas" not in objects.find("Deployment", chart)["spec"]
    scaler = objects.find("HorizontalPodAutoscaler", chart)["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 5)
    assert scaler["scaleTargetRef"]["name"] == objects.find("Deployment", chart)["metadata"]["name"]
    assert objects.has("PodDisruptionBudget", chart)
