package guard

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/xdp"
)

const (
	listBatch  = 1000
	defaultTop = 10
	maxTop     = 100
	// applyTimeout bounds how long a client may take to send a revision.
	applyTimeout = time.Minute
)

// Fastpath is the attached program, or the reason why there is none.
type Fastpath interface {
	State() xdp.State
	VerdictCounters() ([]xdp.VerdictCounter, error)
}

// Service implements guard.v1.GuardService.
type Service struct {
	guardv1.UnimplementedGuardServiceServer
	guard     *Guard
	telemetry *Telemetry
	fastpath  Fastpath
	failSafe  xdp.FailSafe
	stopping  <-chan struct{}
}

// NewService serves a guard; streams end when stopping is closed.
func NewService(guard *Guard, telemetry *Telemetry, fastpath Fastpath, failSafe xdp.FailSafe, stopping <-chan struct{}) *Service {
	return &Service{guard: guard, telemetry: telemetry, fastpath: fastpath, failSafe: failSafe, stopping: stopping}
}

// ApplyRevision reads the whole stream before it changes anything.
func (s *Service) ApplyRevision(stream grpc.ClientStreamingServer[guardv1.ApplyRevisionRequest, guardv1.ApplyRevisionResponse]) error {
	builder, received := &changeBuilder{}, make(chan error, 1)
	go func() { received <- builder.receive(stream) }()
	select {
	case err := <-received:
		if err != nil {
			return err
		}
	case <-time.After(applyTimeout): // the end of this call ends the goroutine's Recv
		return grpcstatus.Errorf(codes.DeadlineExceeded, "the revision did not arrive within %s", applyTimeout)
	}
	if builder.change == nil {
		return invalid("the stream holds no header")
	}
	result, err := s.guard.Apply(builder.change)
	if err != nil {
		slog.Warn("revision refused", "revision", builder.change.Number, "error", err)
		return err
	}
	return stream.SendAndClose(&guardv1.ApplyRevisionResponse{
		Revision: result.Revision.Number, Rules: uint32(len(result.Revision.Rules) - result.Expired),
		ExpiredRules: uint32(result.Expired), ShadowedRuleIds: result.Shadowed, ChangedEntries: uint32(result.Changed),
		Duration: durationpb.New(result.Duration), Enforcement: s.enforcement(result.Revision),
	})
}

func (s *Service) enforcement(revision *Revision) *guardv1.Enforcement {
	return enforcementBy(s.fastpath, revision)
}

func enforcementBy(fastpath Fastpath, revision *Revision) *guardv1.Enforcement {
	if state := fastpath.State(); state.Mode == xdp.ModeOff {
		return &guardv1.Enforcement{Reason: state.Reason}
	}
	if revision.Number == 0 {
		return &guardv1.Enforcement{Reason: "no revision was applied"}
	}
	return &guardv1.Enforcement{Enforcing: true}
}

// Status is the short form of GetRevision for status.v1.
func (s *Service) Status() *statusv1.GuardStatus {
	revision, inForce := s.guard.Current()
	return &statusv1.GuardStatus{
		Enforcement: s.enforcement(revision), Revision: revision.Number, Rules: uint32(len(inForce)),
		DefaultAction: policyMessage(revision.Policy).DefaultAction,
	}
}

// GetRevision reads the counters anew on each call.
func (s *Service) GetRevision(context.Context, *guardv1.GetRevisionRequest) (*guardv1.GetRevisionResponse, error) {
	revision, inForce := s.guard.Current()
	counters, err := s.fastpath.VerdictCounters()
	if err != nil {
		return nil, grpcstatus.Errorf(codes.Internal, "cannot read counters: %v", err)
	}
	ipv4, ipv6 := s.guard.Prefixes()
	response := &guardv1.GetRevisionResponse{
		Revision: revision.Number, Policy: policyMessage(revision.Policy), Rules: uint32(len(inForce)),
		Ipv4Prefixes: uint32(ipv4), Ipv6Prefixes: uint32(ipv6), Enforcement: s.enforcement(revision),
		MaxPrefixes: MaxPrefixes, MaxRules: xdp.MaxRules,
	}
	if revision.Number != 0 {
		response.AppliedAt = timestamppb.New(revision.AppliedAt)
	}
	for _, ports := range s.failSafe {
		response.FailSafePorts = append(response.FailSafePorts, ports.String())
	}
	for _, counter := range counters {
		if counter.Packets > 0 {
			response.Counters = append(response.Counters, &guardv1.VerdictCounter{
				Verdict: verdictMessage(counter.Verdict), Protocol: counter.Protocol, Packets: counter.Packets, Bytes: counter.Bytes,
			})
		}
	}
	return response, nil
}

// ListRules sends at least one message, for its revision.
func (s *Service) ListRules(request *guardv1.ListRulesRequest, stream grpc.ServerStreamingServer[guardv1.ListRulesResponse]) error {
	revision, inForce := s.guard.Current()
	rules := chosen(inForce, request)
	for first := true; first || len(rules) > 0; first = false {
		batch := rules[:min(listBatch, len(rules))]
		rules = rules[len(batch):]
		counters, err := s.guard.Counters(batch)
		if err != nil {
			return grpcstatus.Errorf(codes.Internal, "cannot read counters: %v", err)
		}
		response := &guardv1.ListRulesResponse{Revision: revision.Number, Rules: make([]*guardv1.RuleState, len(batch))}
		for i, rule := range batch {
			response.Rules[i] = &guardv1.RuleState{
				Rule: ruleMessage(rule), Packets: counters[i].Packets, Bytes: counters[i].Bytes,
				OverLimitPackets: counters[i].OverLimit,
			}
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	return nil
}

func chosen(rules []*Rule, request *guardv1.ListRulesRequest) []*Rule {
	if len(request.GetIds()) == 0 && request.GetOwner() == "" {
		return rules
	}
	wanted := map[string]bool{}
	for _, id := range request.GetIds() {
		wanted[id] = true
	}
	var result []*Rule
	for _, rule := range rules {
		if (len(wanted) == 0 || wanted[rule.ID]) && (request.GetOwner() == "" || rule.Owner == request.GetOwner()) {
			result = append(result, rule)
		}
	}
	return result
}

// WatchEvents sends until the client leaves or the server stops.
func (s *Service) WatchEvents(request *guardv1.WatchEventsRequest, stream grpc.ServerStreamingServer[guardv1.WatchEventsResponse]) error {
	watcher := s.telemetry.watch(request.GetRuleId())
	defer s.telemetry.unwatch(watcher)
	for {
		select {
		case <-stream.Context().Done():
			return nil
		case <-s.stopping:
			return grpcstatus.Error(codes.Unavailable, "the server stops")
		case event := <-watcher.events:
			if err := stream.Send(&guardv1.WatchEventsResponse{Event: event, LostEvents: watcher.lost.Swap(0)}); err != nil {
				return err
			}
		}
	}
}

// ListTopSources estimates from samples.
func (s *Service) ListTopSources(_ context.Context, request *guardv1.ListTopSourcesRequest) (*guardv1.ListTopSourcesResponse, error) {
	limit := int(request.GetLimit())
	if limit == 0 {
		limit = defaultTop
	}
	if limit > maxTop {
		return nil, invalid("limit %d is above %d", limit, maxTop)
	}
	sources, window := s.telemetry.top(limit)
	response := &guardv1.ListTopSourcesResponse{Window: durationpb.New(window)}
	for _, found := range sources {
		name := found.key.Addr().String()
		if found.key.Addr().Is6() {
			name = found.key.String()
		}
		response.Sources = append(response.Sources, &guardv1.SourceEstimate{
			Source: name, Packets: found.packets, DroppedPackets: found.dropped, Error: found.error,
		})
	}
	return response, nil
}
