package xdp

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Sources are IPv4 addresses, numbered from First on, Distance apart.
type Sources struct {
	First    uint32
	Distance uint32
	Count    uint32
}

// strides between one packet's source and the next one's: the first that is no divisor of the count visits all of them.
var strides = []uint32{7919, 7907, 7901}

// caller is a program that gives each packet another source than the last one and calls a program with it.
type caller struct {
	program *ebpf.Program
	targets *ebpf.Map
}

func (c *caller) Close() error {
	return errors.Join(c.program.Close(), c.targets.Close())
}

// newCaller calls a program loaded with the same flags; the packet's source is at its usual place.
func newCaller(sources Sources, target *ebpf.Program, flags uint32) (*caller, error) {
	targets, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make a table of programs: %w", err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "caller", Type: ebpf.XDP, AttachType: ebpf.AttachXDP, Flags: flags, License: "GPL",
		Instructions: callerInstructions(sources, targets),
	})
	if err == nil {
		err = targets.Put(uint32(0), target)
	}
	if err != nil {
		return nil, errors.Join(explainLoad(err), targets.Close())
	}
	return &caller{program: program, targets: targets}, nil
}

func callerInstructions(sources Sources, targets *ebpf.Map) asm.Instructions {
	const sourceAt = 26
	stride := strides[0]
	for _, stride = range strides {
		if sources.Count%stride != 0 {
			break
		}
	}
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), asm.LoadMem(asm.R3, asm.R1, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2), asm.Add.Imm(asm.R4, sourceAt+4), asm.JGT.Reg(asm.R4, asm.R3, "end"),
		asm.LoadMem(asm.R5, asm.R2, sourceAt, asm.Word), asm.HostTo(asm.BE, asm.R5, asm.Word),
		asm.Sub.Imm32(asm.R5, int32(sources.First)), asm.Div.Imm32(asm.R5, int32(sources.Distance)),
		asm.Add.Imm32(asm.R5, int32(stride)), asm.Mod.Imm32(asm.R5, int32(sources.Count)),
		asm.Mul.Imm32(asm.R5, int32(sources.Distance)), asm.Add.Imm32(asm.R5, int32(sources.First)),
		asm.HostTo(asm.BE, asm.R5, asm.Word), asm.StoreMem(asm.R2, sourceAt, asm.R5, asm.Word),
		asm.LoadMapPtr(asm.R2, targets.FD()), asm.Mov.Imm(asm.R3, 0), asm.FnTailCall.Call(),
		asm.Mov.Imm(asm.R0, 2).WithSymbol("end"), asm.Return(),
	}
}

// MeasureSources judges an IPv4 packet many times, every time from another of the sources. Returns the kernel's own mean
// time, less what it takes to change the source; at least 0.
func (p *Program) MeasureSources(packet []byte, sources Sources, times int) (time.Duration, error) {
	return MeasureSources(p.objects.Guard, unix.BPF_F_XDP_HAS_FRAGS, packet, sources, times)
}

// MeasureSources is Program.MeasureSources for any XDP program, loaded with these flags.
func MeasureSources(program *ebpf.Program, flags uint32, packet []byte, sources Sources, times int) (time.Duration, error) {
	idle, err := newIdle(flags)
	if err != nil {
		return 0, err
	}
	defer idle.Close()
	_, floor, err := idle.Benchmark(packet, times, nil)
	if err != nil {
		return 0, err
	}
	var means [2]time.Duration
	for i, target := range []*ebpf.Program{program, idle} {
		calling, err := newCaller(sources, target, flags)
		if err != nil {
			return 0, err
		}
		_, means[i], err = calling.program.Benchmark(packet, times, nil)
		if err := errors.Join(err, calling.Close()); err != nil {
			return 0, err
		}
	}
	return max(means[0]-means[1]+floor, 0), nil
}

// MeasureIdle is Measure for a program that passes a packet at once: what the kernel's measuring itself takes.
func MeasureIdle(packet []byte, times int) (time.Duration, error) {
	idle, err := newIdle(0)
	if err != nil {
		return 0, err
	}
	defer idle.Close()
	_, mean, err := idle.Benchmark(packet, times, nil)
	return mean, err
}

func newIdle(flags uint32) (*ebpf.Program, error) {
	idle, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "idle", Type: ebpf.XDP, AttachType: ebpf.AttachXDP, Flags: flags, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	if err != nil {
		return nil, explainLoad(err)
	}
	return idle, nil
}
