package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
)

func header(revision, base uint64) *guardv1.ApplyRevisionRequest {
	return &guardv1.ApplyRevisionRequest{Part: &guardv1.ApplyRevisionRequest_Header{Header: &guardv1.RevisionHeader{
		Revision: revision, BaseRevision: base, Policy: &guardv1.Policy{DefaultAction: guardv1.DefaultAction_DEFAULT_ACTION_PASS},
	}}}
}

func rules(upserts ...*guardv1.Rule) *guardv1.ApplyRevisionRequest {
	return &guardv1.ApplyRevisionRequest{Part: &guardv1.ApplyRevisionRequest_Rules{Rules: &guardv1.RuleBatch{Upserts: upserts}}}
}

func apply(t *testing.T, connection *grpc.ClientConn, messages ...*guardv1.ApplyRevisionRequest) (*guardv1.ApplyRevisionResponse, error) {
	t.Helper()
	stream, err := guardv1.NewGuardServiceClient(connection).ApplyRevision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range messages {
		if err := stream.Send(message); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	return stream.CloseAndRecv()
}

func TestGuardOverGRPC(t *testing.T) {
	config, connection, stop := start(t)
	deny := &guardv1.Rule{
		Id: "deny-1", Prefix: "203.0.113.0/24", Protocol: 6, Ports: []*guardv1.PortRange{{First: 25}, {First: 8000, Last: 8010}},
		Action: guardv1.Action_ACTION_DENY, Owner: "ops", Comment: "spam",
	}
	answer, err := apply(t, connection, header(3, 0), rules(deny), rules(&guardv1.Rule{
		Id: "rate-1", Prefix: "2001:db8::/32", Action: guardv1.Action_ACTION_RATE, Limit: &guardv1.RateLimit{SynsPerSecond: 10},
	}))
	if err != nil || answer.Revision != 3 || answer.Rules != 2 || answer.Enforcement.Enforcing || answer.Enforcement.Reason != "switched off by configuration" {
		t.Fatalf("%v, %v", answer, err)
	}
	client := guardv1.NewGuardServiceClient(connection)
	revision, err := client.GetRevision(t.Context(), &guardv1.GetRevisionRequest{})
	if err != nil || revision.Revision != 3 || revision.Ipv4Prefixes != 1 || revision.Ipv6Prefixes != 1 || revision.MaxPrefixes != 1_000_000 {
		t.Errorf("%v, %v", revision, err)
	}
	list, err := client.ListRules(t.Context(), &guardv1.ListRulesRequest{Owner: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	message, err := list.Recv()
	if err != nil || len(message.Rules) != 1 || message.Revision != 3 {
		t.Fatalf("%v, %v", message, err)
	}
	if got := message.Rules[0].Rule; got.Prefix != deny.Prefix || got.Comment != "spam" || len(got.Ports) != 2 || got.Ports[0].Last != 25 {
		t.Errorf("rule %v", got)
	}
	_, metrics := get(t, config, "/metrics")
	for _, line := range []string{"go_backend_guard_revision 3", "go_backend_guard_rules 2", `go_backend_guard_prefixes{family="ipv6"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestBadStreamsAreRefused(t *testing.T) {
	_, connection, stop := start(t)
	rule := func(prefix string) *guardv1.Rule {
		return &guardv1.Rule{Id: "a", Prefix: prefix, Action: guardv1.Action_ACTION_DENY}
	}
	tests := []struct {
		name     string
		messages []*guardv1.ApplyRevisionRequest
		text     string
	}{
		{"nothing", nil, "the stream holds no header"},
		{"empty message", []*guardv1.ApplyRevisionRequest{{}}, "a message holds neither header nor rules"},
		{"rules first", []*guardv1.ApplyRevisionRequest{rules()}, "rules before the header"},
		{"two headers", []*guardv1.ApplyRevisionRequest{header(1, 0), header(1, 0)}, "a second header"},
		{"no policy", []*guardv1.ApplyRevisionRequest{{Part: &guardv1.ApplyRevisionRequest_Header{Header: &guardv1.RevisionHeader{Revision: 1}}}},
			"the policy's default_action must be"},
		{"no prefix", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(rule("everybody"))}, `rule "a": its prefix "everybody" is none`},
		{"bits beyond", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(rule("10.0.0.1/8"))}, "did you mean 10.0.0.0/8?"},
		{"too long", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(rule("10.0.0.1/33"))}, "is none"},
		{"mapped", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(rule("::ffff:10.0.0.1/128"))}, "write it as IPv4"},
		{"ports", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(&guardv1.Rule{
			Id: "a", Prefix: "10.0.0.0/8", Protocol: 6, Ports: []*guardv1.PortRange{{First: 9, Last: 8}},
		})}, "its ports 9-8 are no range"},
		{"protocol", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(&guardv1.Rule{Id: "a", Prefix: "10.0.0.0/8", Protocol: 256})}, "is above 255"},
		{"no action", []*guardv1.ApplyRevisionRequest{header(1, 0), rules(&guardv1.Rule{Id: "a", Prefix: "10.0.0.0/8"})}, "its action must be"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := apply(t, connection, test.messages...)
			if status := grpcstatus.Convert(err); status.Code() != codes.InvalidArgument || !strings.Contains(status.Message(), test.text) {
				t.Errorf("error %v, want %s", err, test.text)
			}
		})
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStopEndsEventWatches has a watcher that never reads.
func TestStopEndsEventWatches(t *testing.T) {
	_, connection, stop := start(t)
	watch, err := guardv1.NewGuardServiceClient(connection).WatchEvents(t.Context(), &guardv1.WatchEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), stopTimeout/2)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if _, err := watch.Recv(); err == nil {
		t.Error("an event without packets")
	}
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Error("an open watch keeps the server from stopping")
	}
}

func TestManyRulesInOneStream(t *testing.T) {
	_, connection, stop := start(t)
	messages := []*guardv1.ApplyRevisionRequest{header(1, 0)}
	for batch := range 20 {
		part := make([]*guardv1.Rule, 1000)
		for i := range part {
			part[i] = &guardv1.Rule{
				Id: fmt.Sprintf("rule-%d-%d", batch, i), Prefix: fmt.Sprintf("10.%d.%d.%d/32", batch, i>>8, i&255),
				Action: guardv1.Action_ACTION_DENY, Comment: strings.Repeat("c", 256), Owner: "feed",
			}
		}
		messages = append(messages, rules(part...))
	}
	started := time.Now()
	answer, err := apply(t, connection, messages...)
	if err != nil || answer.Rules != 20_000 {
		t.Fatalf("%v, %v", answer, err)
	}
	t.Logf("20000 rules in %s", time.Since(started))
	// Somebody who asks for all of them and never reads holds nobody up.
	ctx, cancel := context.WithCancel(t.Context())
	list, err := guardv1.NewGuardServiceClient(connection).ListRules(ctx, &guardv1.ListRulesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list.Header(); err != nil { // it has begun
		t.Fatal(err)
	}
	if answer, err := apply(t, connection, header(2, 1)); err != nil || answer.Revision != 2 {
		t.Fatalf("%v, %v", answer, err)
	}
	cancel()
	if err := stop(); err != nil {
		t.Error(err)
	}
}
