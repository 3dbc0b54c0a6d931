package probe

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Finding is whether something works here, and how that was found or why it does not.
type Finding struct {
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func failed(format string, arguments ...any) Finding {
	return Finding{Detail: fmt.Errorf(format, arguments...).Error()}
}

const xdpPass = 2

// TryXDP loads a program that passes everything, runs it on one packet and, where this process may make a network
// namespace (CAP_SYS_ADMIN), attaches it natively and generically to a veth pair there. Nothing of the node's own
// network is touched.
func TryXDP() Finding {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "triptych_probe", Type: ebpf.XDP, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if errors.Is(err, unix.EPERM) {
		return failed("loading a program needs the capabilities BPF and NET_ADMIN and a seccomp profile that allows bpf(): %w", err)
	}
	if err != nil {
		return failed("load a program: %w", err)
	}
	defer program.Close()
	verdict, err := program.Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil || verdict != xdpPass {
		return failed("run a program: verdict %d instead of %d, %w", verdict, xdpPass, err)
	}
	err = inOwnNamespace(func(device netlink.Link) error { return attachBoth(program, device) })
	switch {
	case errors.Is(err, errNoNamespace):
		return Finding{OK: true, Detail: "a program loads and runs; not attached anywhere, which takes a namespace of its own (SYS_ADMIN)"}
	case err != nil:
		return failed("%w", err)
	}
	return Finding{OK: true, Detail: "a program loads, runs and attaches natively and generically to a veth pair"}
}

func attachBoth(program *ebpf.Program, device netlink.Link) error {
	for mode, flags := range map[string]link.XDPAttachFlags{"native": link.XDPDriverMode, "generic": link.XDPGenericMode} {
		attached, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: device.Attrs().Index, Flags: flags})
		if err != nil {
			return fmt.Errorf("%s XDP on a veth pair: %w", mode, err)
		}
		if err := attached.Close(); err != nil {
			return fmt.Errorf("detach %s XDP: %w", mode, err)
		}
	}
	return nil
}

var errNoNamespace = errors.New("no network namespace of its own")

// inOwnNamespace calls a function with one end of a veth pair in a new network namespace, which ends with the thread.
func inOwnNamespace(do func(netlink.Link) error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread and its namespace end with this goroutine
		result <- enterAndDo(do)
	}()
	return <-result
}

func enterAndDo(do func(netlink.Link) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("%w: %w", errNoNamespace, err)
	}
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "probe0"}, PeerName: "probe1"}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("add a veth pair: %w", err)
	}
	device, err := netlink.LinkByName(pair.Name)
	if err != nil {
		return err
	}
	return do(device)
}

const (
	umemChunk  = 4096
	umemChunks = 16
)

// TryAFXDP makes an AF_XDP socket with memory and rings of its own and binds it in copy mode to the loopback, which
// moves no packet: those reach a socket only through a program's map.
func TryAFXDP() Finding {
	socket, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EPERM):
		return failed("an AF_XDP socket needs the capability NET_RAW: %w", err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return failed("the kernel is built without CONFIG_XDP_SOCKETS: %w", err)
	case err != nil:
		return failed("AF_XDP socket: %w", err)
	}
	defer unix.Close(socket)
	memory, err := unix.Mmap(-1, 0, umemChunk*umemChunks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return failed("map memory for AF_XDP: %w", err)
	}
	defer unix.Munmap(memory)
	if err := bindLoopback(socket, memory); err != nil {
		return failed("AF_XDP: %w", err)
	}
	return Finding{OK: true, Detail: "a socket with memory and rings binds in copy mode"}
}

func bindLoopback(socket int, memory []byte) error {
	registration := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))), Len: uint64(len(memory)), Size: umemChunk,
	}
	_, _, failure := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(socket), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&registration)), unsafe.Sizeof(registration), 0)
	if failure != 0 {
		return fmt.Errorf("register memory (IPC_LOCK or a larger memlock limit may be missing): %w", failure)
	}
	for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING} {
		if err := unix.SetsockoptInt(socket, unix.SOL_XDP, ring, umemChunks); err != nil {
			return fmt.Errorf("make a ring: %w", err)
		}
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	address := &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(loopback.Attrs().Index)}
	if err := unix.Bind(socket, address); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}
