"""Copy local images to the nodes of a kind cluster, only those that a node lacks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from common import CACHE, CiError, log, run, tool
from engine import engine

# Prints "<name> <manifest digest> <manifest on one line>" for every named image that containerd has.
LIST_IMAGES = """
ctr --namespace k8s.io images list | awk 'NR > 1 {print $1, $3}' | while read -r name digest; do
  for wanted; do
    [ "$name" = "$wanted" ] || continue
    echo "$name $digest $(ctr --namespace k8s.io content get "$digest" | tr -d '\\n')"
  done
done
"""


def load(cluster: str, nodes: list[str], references: list[str]) -> int:
    """Load local images into nodes.

    Args:
        cluster: kind's name of the cluster.
        nodes: containers of the nodes.
        references: full names of local images.

    Returns:
        How many of the images a node lacked.

    Raises:
        CiError: an image does not exist locally, or a node refuses one.
    """
    ids = {reference: engine().image_id(reference) for reference in references}
    absent = [reference for reference, found in ids.items() if not found]
    if absent:
        raise CiError(f"there is no local image {absent[0]}; run: make images")
    lacking = {node: lacked(ids, images_on(node, references)) for node in nodes}
    targets = [node for node, names in lacking.items() if names]
    wanted = sorted(set().union(*lacking.values()))
    if not wanted:
        return 0
    log(f"loading {len(wanted)} image names into {', '.join(targets)}")
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        archive = Path(folder) / "images.tar"
        engine().save(wanted, archive)
        command = ("load", "image-archive", archive, "--name", cluster, "--nodes", ",".join(targets))
        run(tool("kind"), *command, env=engine().env, quiet=True)
    return len(wanted)


def images_on(node: str, references: list[str]) -> dict[str, set[str]]:
    """The ids under which a node has these images (manifest and configuration digest), by name."""
    listed = engine().output("exec", node, "sh", "-c", LIST_IMAGES, "sh", *references)
    return dict(parse_image(line) for line in listed.splitlines())


def parse_image(line: str) -> tuple[str, set[str]]:
    """Name and ids from one line of `LIST_IMAGES`."""
    name, digest, manifest = line.split(" ", 2)
    configuration = json.loads(manifest).get("config", {}).get("digest", "")
    return name, {digest, configuration}


def lacked(ids: dict[str, str], present: dict[str, set[str]]) -> list[str]:
    """Names whose local id is not the one on the node."""
    return [name for name, wanted in ids.items() if wanted not in present.get(name, set())]
