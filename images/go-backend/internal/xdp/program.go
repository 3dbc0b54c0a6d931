package xdp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// loadSpec reads the compiled program; tests put a broken one in its place.
var loadSpec = loadGuard

// LoadOptions are what cannot change while the program lives.
type LoadOptions struct {
	// FailSafe ports always pass.
	FailSafe FailSafe
	// SampleInterval is the time between two samples of one CPU; 0: DefaultSampleInterval.
	SampleInterval time.Duration
	// StopClock makes time stand still at what SetClock says, for tests.
	StopClock bool
}

// DefaultSampleInterval bounds samples to 250 a second, CPU and kind of verdict.
const DefaultSampleInterval = 4 * time.Millisecond

// Program is the guard in the kernel with its maps, attached or not.
type Program struct {
	spec    *ebpf.CollectionSpec
	objects guardObjects
	// whole takes packets that lie in one piece only; loaded when a driver asks for it.
	whole *ebpf.Program
}

// Load puts the program and its maps into the kernel. It passes every packet until rules are applied.
func Load(options LoadOptions) (*Program, error) {
	spec, err := loadSpec()
	if err != nil {
		return nil, err
	}
	// The coarse clock moves once a tick.
	var tick unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &tick); err != nil {
		return nil, fmt.Errorf("read the length of the kernel's tick: %w", err)
	}
	if options.SampleInterval == 0 {
		options.SampleInterval = DefaultSampleInterval
	}
	err = errors.Join(
		spec.Variables["clock_stopped"].Set(options.StopClock),
		spec.Variables["tick"].Set(uint64(tick.Nano())),
		spec.Variables["sample_interval"].Set(uint64(options.SampleInterval)),
	)
	if err != nil {
		return nil, fmt.Errorf("configure the XDP program: %w", err)
	}
	loaded := &Program{spec: spec}
	if err := spec.LoadAndAssign(&loaded.objects, nil); err != nil {
		return nil, explainLoad(err)
	}
	if err := options.FailSafe.write(loaded.objects.FailSafePorts); err != nil {
		return nil, errors.Join(err, loaded.Close())
	}
	return loaded, nil
}

// variant is the program itself, with or without support for packets spread over several pages, which some drivers
// demand on a large MTU and others refuse altogether. Both share the maps.
func (p *Program) variant(fragments bool) (*ebpf.Program, error) {
	if fragments {
		return p.objects.Guard, nil
	}
	if p.whole != nil {
		return p.whole, nil
	}
	spec := p.spec.Copy()
	spec.Programs[guardProgGuard].Flags &^= unix.BPF_F_XDP_HAS_FRAGS
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: p.replacements()})
	if err != nil {
		return nil, explainLoad(err)
	}
	defer collection.Close()
	p.whole = collection.DetachProgram(guardProgGuard)
	return p.whole, nil
}

// replacements are all maps by name, for a second program that shares them.
func (p *Program) replacements() map[string]*ebpf.Map {
	own := &p.objects
	return map[string]*ebpf.Map{
		"buckets": own.Buckets, "chains": own.Chains, "conditions": own.Conditions, "counters": own.Counters,
		"fail_safe_ports": own.FailSafePorts, "current_packet": own.CurrentPacket, "generation": own.Generation,
		"ingest_answers": own.IngestAnswers, "ingest_states": own.IngestStates, "ingest_destinations": own.IngestDestinations, "ingest_sequences": own.IngestSequences,
		"ingest_sockets": own.IngestSockets, "memory": own.Memory, "ipv4_prefixes": own.Ipv4Prefixes, "ipv6_prefixes": own.Ipv6Prefixes,
		"policies": own.Policies, "prefilter": own.Prefilter, "prefilter_answers": own.PrefilterAnswers,
		"prefilter_steps": own.PrefilterSteps, "rule_counters": own.RuleCounters, "samplers": own.Samplers, "samples": own.Samples,
	}
}

// explainLoad tells a verifier rejection, which is our fault, from a missing permission.
func explainLoad(err error) error {
	var rejection *ebpf.VerifierError
	switch {
	case errors.As(err, &rejection):
		return fmt.Errorf("the verifier rejected the XDP program: %w", err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("loading the XDP program needs the capabilities BPF and NET_ADMIN and a seccomp profile that allows bpf(): %w", err)
	default:
		return fmt.Errorf("load the XDP program: %w", err)
	}
}

// VerifierLog is all the verifier said about a program it rejected; empty for any other error.
func VerifierLog(err error) string {
	var rejection *ebpf.VerifierError
	if !errors.As(err, &rejection) {
		return ""
	}
	return fmt.Sprintf("%+v", rejection)
}

func programID(program *ebpf.Program) (uint32, error) {
	info, err := program.Info()
	if err != nil {
		return 0, fmt.Errorf("read the XDP program's info: %w", err)
	}
	id, _ := info.ID()
	return uint32(id), nil
}

// Run judges one packet of at least 14 bytes, as if it had been received. Returns the XDP action.
func (p *Program) Run(packet []byte) (uint32, error) {
	return p.objects.Guard.Run(&ebpf.RunOptions{Data: packet})
}

// Measure judges one packet many times. Returns the kernel's own mean time.
func (p *Program) Measure(packet []byte, times int) (time.Duration, error) {
	_, mean, err := p.objects.Guard.Benchmark(packet, times, nil)
	return mean, err
}

// SetClock says what time it is for a program loaded with StopClock.
func (p *Program) SetClock(sinceBoot time.Duration) error {
	return p.objects.StoppedAt.Set(uint64(sinceBoot))
}

// Close gives the program and its maps up; an attached or pinned link keeps what it needs.
func (p *Program) Close() error {
	err := p.objects.Close()
	if p.whole != nil {
		err = errors.Join(err, p.whole.Close())
	}
	return err
}

// Verdict is what happened to a packet, and why.
type Verdict uint32

// In the order of `enum verdict` in bpf/telemetry.h.
const (
	PassIdle        = Verdict(guardVerdictPASS_IDLE)
	PassLink        = Verdict(guardVerdictPASS_LINK)
	PassFailSafe    = Verdict(guardVerdictPASS_FAIL_SAFE)
	PassAllowed     = Verdict(guardVerdictPASS_ALLOWED)
	PassWithinLimit = Verdict(guardVerdictPASS_WITHIN_LIMIT)
	PassDefault     = Verdict(guardVerdictPASS_DEFAULT)
	RedirectIngest  = Verdict(guardVerdictREDIRECT_INGEST)
	DropMalformed   = Verdict(guardVerdictDROP_MALFORMED)
	DropDenied      = Verdict(guardVerdictDROP_DENIED)
	DropPacketLimit = Verdict(guardVerdictDROP_PACKET_LIMIT)
	DropSynLimit    = Verdict(guardVerdictDROP_SYN_LIMIT)
	DropDefault     = Verdict(guardVerdictDROP_DEFAULT)
)

var verdictNames = map[Verdict]string{
	PassIdle: "pass_idle", PassLink: "pass_link", PassFailSafe: "pass_fail_safe", PassAllowed: "pass_allowed",
	PassWithinLimit: "pass_within_limit", PassDefault: "pass_default", RedirectIngest: "redirect_ingest",
	DropMalformed: "drop_malformed", DropDenied: "drop_denied", DropPacketLimit: "drop_packet_limit",
	DropSynLimit: "drop_syn_limit", DropDefault: "drop_default",
}

// Verdicts are all of them, in the kernel's order.
func Verdicts() []Verdict {
	return slices.Sorted(maps.Keys(verdictNames))
}

// String is the name used in metrics, for example "drop_denied".
func (v Verdict) String() string {
	return verdictNames[v]
}

// Drops tells whether the packet ended here.
func (v Verdict) Drops() bool {
	return v >= DropMalformed
}
