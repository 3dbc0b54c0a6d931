package xdp

// Clang's BPF target does not search the multiarch directories that hold <asm/types.h>.
//go:generate go tool bpf2go -go-package xdp -target bpfel -type protocol_class -type ingest_destination counters bpf/counters.c -- -O2 -g -mcpu=v3 -Wall -Wextra -Werror -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include/aarch64-linux-gnu
