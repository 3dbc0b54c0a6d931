"""Real UDP datagrams between the nodes of a local cluster."""

from __future__ import annotations

import release
from engine import engine
from support import eventually


def address(target: release.Target, node: str) -> str:
    """The node's own IPv4 address."""
    return target.kubectl(
        "get", "node", node, "--output", 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}'
    )


class Sender:
    """Sends datagrams from one node to a port of another.

    Attributes:
        source_address: what the receiver sees.
    """

    def __init__(self, target: release.Target, source: str, destination: str, port: int) -> None:
        self.source, self.port = source, port
        self.source_address, self.address = address(target, source), address(target, destination)

    def send(self, count: int, name: str = "datagram") -> None:
        """Datagrams `<name> 1` to `<name> <count>`."""
        script = f"for i in $(seq {count}); do echo {name} $i > /dev/udp/{self.address}/{self.port}; done"
        engine().run("exec", self.source, "bash", "-c", script, quiet=True)


class Receiver:
    """Counts the datagrams that reach a socket on a node; it ends by itself, too."""

    def __init__(self, node: str, port: int) -> None:
        self.node, self.file, self.process_id = node, f"/tmp/received-{port}", f"/tmp/receiver-{port}"
        receive = f"exec timeout 600 socat -u UDP4-RECV:{port} CREATE:{self.file}"
        script = f"rm -f {self.file}; echo $$ > {self.process_id}; {receive}"
        engine().run("exec", "--detach", node, "bash", "-c", script, quiet=True)

    def wait_for_first(self, sender: Sender) -> None:
        """Others may come later than the one that was seen: what a test counts has another name."""
        eventually(lambda: sender.send(1, "hello") or self.received("hello"), 60, "a first datagram arrives")

    def received(self, name: str = "datagram") -> int:
        script = f"[ ! -f {self.file} ] || cat {self.file}"
        return engine().output("exec", self.node, "bash", "-c", script).count(name)

    def stop(self) -> None:
        engine().run("exec", self.node, "bash", "-c", f"kill $(cat {self.process_id})", quiet=True)
