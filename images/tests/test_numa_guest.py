"""Memory and threads of the Go backend's receive queues, on a machine that has two memory nodes."""

import re

import numa_guest


def test_queues_lie_on_the_node_of_their_interface():
    console = numa_guest.guest_run()
    assert not numa_guest.failures(console), console
    # The guest's own tests compare; here only that they looked at something.
    for page_bytes in (2 << 20, 4096):
        pages = re.findall(rf"af_xdp-0: (\d+) pages of {page_bytes} bytes on node 1", console)
        assert pages and int(pages[0]) * page_bytes > 20 << 20, console
    assert re.search(r"bind:1 .* huge .* N1=\d+", console), console
