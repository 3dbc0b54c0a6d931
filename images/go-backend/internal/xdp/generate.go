package xdp

// Clang's BPF target does not search the multiarch directories that hold <asm/types.h>.
//go:generate go tool bpf2go -go-package xdp -target bpfel -type protocol_class -type verdict -type packet_kind -type reference_kind -type rule_action -type port_flag -type prefix_entry -type ipv4_prefix -type ipv6_prefix -type prefilter_action -type prefilter_step -type condition -type limit -type chain -type policy -type rule_counter -type sample -type ingest_destination -type ingest_state guard bpf/guard.c -- -O2 -g -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu
