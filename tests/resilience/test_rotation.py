"""The CronJob changes the signing key while two replicas serve: nobody is signed out, no pod restarts."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator

import pytest
from replica import Replica

import release
from common import CiError
from support import eventually, fingerprint, lasting

pytestmark = pytest.mark.functional
ROTATION = "flask-backend.signingKey.rotation.schedule=0 0 1 1 *"
SECRET = "secret/flask-backend-keys"
NO_ROTATION_UNDER_WAY = '{"data": {"next.pem": null, "previous.pem": null}}'
# In place of a wait of minutes: the last step was long ago, and the kubelet looks at the pods now.
LONG_AGO = "triptych/key-step-at=2000-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def cronjob(platform) -> Iterator[str]:
    """Name of the CronJob. Ask for it before `replicas`: Helm would not upgrade a Deployment scaled by hand."""
    upgrade = ["upgrade", release.RELEASE, str(release.ROOT), *release.value_arguments(), "--wait"]
    platform.helm(*upgrade, "--set", ROTATION)
    yield "rotate-keys"
    platform.helm(*upgrade)


@pytest.fixture
def rotation(platform, cronjob: str, replicas) -> Iterator[str]:
    """Name of a running Job that was made from the CronJob."""
    job = f"rotate-{secrets.token_hex(4)}"
    platform.kubectl("patch", SECRET, "--type=merge", "--patch", NO_ROTATION_UNDER_WAY)
    platform.kubectl("create", "job", f"--from=cronjob/{cronjob}", job)
    yield job
    platform.kubectl("delete", "job", job, "--wait")


def key_id(token: str) -> str:
    header = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


def told(platform, job: str, words: str) -> Callable[[], bool]:
    def look() -> bool:
        try:
            return words in platform.kubectl("logs", f"job/{job}", "--tail=-1")
        except CiError:
            return False  # its container does not run yet

    return look


def wake_kubelets(platform) -> None:
    """A changed pod has its volumes looked at now; of itself it happens within two minutes."""
    platform.kubectl(
        "annotate", "pods", "--selector", "app.kubernetes.io/name=flask-backend", "--overwrite",
        f"triptych.dev/woken={secrets.token_hex(4)}",
    )  # fmt: skip


def test_a_rotation_signs_nobody_out(platform, cronjob: str, replicas: list[Replica], rotation: str, kube_cluster):
    client = kube_cluster.kube_client
    backend = {pod.name for pod in lasting(client, release.NAMESPACE, "flask-backend")}
    before = {name: print_ for name, print_ in fingerprint(client, release.NAMESPACE).items() if name in backend}
    first, second = replicas
    old = first.login().raise_for_status().json()["access_token"]

    def accepted(keys: int) -> bool:
        wake_kubelets(platform)
        return all(len(replica.key_ids()) == keys for replica in replicas)

    eventually(told(platform, rotation, "prepared"), 60, "the next key is prepared")
    eventually(lambda: accepted(2), 120, "both replicas publish two keys")
    upcoming = (first.key_ids() - {key_id(old)}).pop()

    platform.kubectl("annotate", SECRET, "--overwrite", LONG_AGO)
    eventually(told(platform, rotation, "signs now"), 60, "the next key signs")

    def signed_by_the_new_key() -> str:
        wake_kubelets(platform)
        token = first.login().raise_for_status().json()["access_token"]
        assert (first.status_of(token), second.status_of(token)) == (200, 200)
        return token if key_id(token) == upcoming else ""

    new = eventually(signed_by_the_new_key, 120, "a login gets a token of the new key")
    for replica in replicas:
        assert [replica.status_of(token) for token in (old, new)] == [200, 200]
        assert replica.key_ids() == {key_id(old), upcoming}

    platform.kubectl("annotate", SECRET, "--overwrite", LONG_AGO)
    eventually(told(platform, rotation, "retired"), 60, "the old key is retired")
    eventually(lambda: accepted(1), 120, "both replicas publish the new key alone")
    for replica in replicas:
        assert [replica.status_of(token) for token in (old, new)] == [401, 200]
    after = fingerprint(client, release.NAMESPACE)
    assert {name: after[name] for name in backend} == before
