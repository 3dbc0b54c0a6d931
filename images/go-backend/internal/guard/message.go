package guard

import (
	"errors"
	"io"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	"triptych.dev/go-backend/internal/xdp"
)

// Between guard.v1 and this package's types. Errors are gRPC statuses.

func ruleFromMessage(message *guardv1.Rule) (*Rule, error) {
	id := message.GetId()
	prefix, err := parsePrefix(message.GetPrefix())
	if err != nil {
		return nil, invalid("rule %q: %v", id, err)
	}
	if message.GetProtocol() > math.MaxUint8 {
		return nil, invalid("rule %q: its protocol %d is above 255", id, message.GetProtocol())
	}
	ranges := make([]PortRange, len(message.GetPorts()))
	for i, ports := range message.GetPorts() {
		first, last := ports.GetFirst(), ports.GetLast()
		if last == 0 {
			last = first
		}
		if first == 0 || first > last || last > math.MaxUint16 {
			return nil, invalid("rule %q: its ports %d-%d are no range within 1-65535", id, first, last)
		}
		ranges[i] = PortRange{First: uint16(first), Last: uint16(last)}
	}
	ports, err := newPorts(ranges)
	if err != nil {
		return nil, invalid("rule %q: %v", id, err)
	}
	var expires time.Time
	if message.ExpiresAt != nil {
		if !message.ExpiresAt.IsValid() {
			return nil, invalid("rule %q: its expires_at is no time", id)
		}
		expires = message.ExpiresAt.AsTime()
	}
	return &Rule{
		ID: id,
		Effect: Effect{
			Match:  Match{Prefix: prefix, Protocol: uint8(message.GetProtocol()), Ports: ports},
			Action: uint8(message.GetAction()), Limit: limitFromMessage(message.GetLimit()), CountOnly: message.GetCountOnly(),
		},
		ExpiresAt: expires, Owner: message.GetOwner(), Comment: message.GetComment(),
	}, nil
}

func ruleMessage(rule *Rule) *guardv1.Rule {
	message := &guardv1.Rule{
		Id: rule.ID, Prefix: rule.Prefix.String(), Protocol: uint32(rule.Protocol),
		Action: guardv1.Action(rule.Action), Owner: rule.Owner, Comment: rule.Comment, CountOnly: rule.CountOnly,
	}
	if rule.Action == xdp.ActionRate {
		message.Limit = limitMessage(rule.Limit)
	}
	for _, ports := range rule.Ports {
		if ports.First <= ports.Last {
			message.Ports = append(message.Ports, &guardv1.PortRange{First: uint32(ports.First), Last: uint32(ports.Last)})
		}
	}
	if !rule.ExpiresAt.IsZero() {
		message.ExpiresAt = timestamppb.New(rule.ExpiresAt)
	}
	return message
}

func limitFromMessage(message *guardv1.RateLimit) RateLimit {
	return RateLimit{
		PacketsPerSecond: message.GetPacketsPerSecond(), PacketsBurst: message.GetPacketsBurst(),
		SynsPerSecond: message.GetSynsPerSecond(), SynsBurst: message.GetSynsBurst(),
	}
}

func limitMessage(limit RateLimit) *guardv1.RateLimit {
	if limit == (RateLimit{}) {
		return nil
	}
	return &guardv1.RateLimit{
		PacketsPerSecond: limit.PacketsPerSecond, PacketsBurst: limit.PacketsBurst,
		SynsPerSecond: limit.SynsPerSecond, SynsBurst: limit.SynsBurst,
	}
}

func policyMessage(policy Policy) *guardv1.Policy {
	action := guardv1.DefaultAction_DEFAULT_ACTION_PASS
	if policy.Drop {
		action = guardv1.DefaultAction_DEFAULT_ACTION_DROP
	}
	return &guardv1.Policy{DefaultAction: action, SourceLimit: limitMessage(policy.SourceLimit)}
}

func policyFromMessage(message *guardv1.Policy) (Policy, error) {
	limit := limitFromMessage(message.GetSourceLimit())
	switch message.GetDefaultAction() {
	case guardv1.DefaultAction_DEFAULT_ACTION_PASS:
		return Policy{SourceLimit: limit}, nil
	case guardv1.DefaultAction_DEFAULT_ACTION_DROP:
		return Policy{Drop: true, SourceLimit: limit}, nil
	}
	return Policy{}, invalid("the policy's default_action must be DEFAULT_ACTION_PASS or DEFAULT_ACTION_DROP")
}

// changeBuilder puts the messages of one stream together.
type changeBuilder struct {
	change *Change
}

// receive reads a stream to its end.
func (b *changeBuilder) receive(stream interface {
	Recv() (*guardv1.ApplyRevisionRequest, error)
},
) error {
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = b.add(message)
		}
		if err != nil {
			return err
		}
	}
}

func (b *changeBuilder) add(message *guardv1.ApplyRevisionRequest) error {
	switch part := message.GetPart().(type) {
	case *guardv1.ApplyRevisionRequest_Header:
		return b.header(part.Header)
	case *guardv1.ApplyRevisionRequest_Rules:
		return b.rules(part.Rules)
	}
	return invalid("a message holds neither header nor rules")
}

func (b *changeBuilder) header(header *guardv1.RevisionHeader) error {
	if b.change != nil {
		return invalid("a second header: only the first message holds one")
	}
	if header.GetForce() && header.GetBaseRevision() != 0 {
		return invalid("force and base_revision exclude each other: send all rules")
	}
	policy, err := policyFromMessage(header.GetPolicy())
	if err != nil {
		return err
	}
	b.change = &Change{
		Number: header.GetRevision(), Base: header.GetBaseRevision(), Force: header.GetForce(), Policy: policy,
	}
	return nil
}

func (b *changeBuilder) rules(batch *guardv1.RuleBatch) error {
	if b.change == nil {
		return invalid("rules before the header: the first message must hold it")
	}
	for _, message := range batch.GetUpserts() {
		rule, err := ruleFromMessage(message)
		if err != nil {
			return err
		}
		b.change.Upserts = append(b.change.Upserts, rule)
	}
	b.change.Removed = append(b.change.Removed, batch.GetRemovedIds()...)
	if len(b.change.Upserts) > xdp.MaxRules || len(b.change.Removed) > xdp.MaxRules {
		return exhausted("the revision has more than %d rules", xdp.MaxRules)
	}
	return nil
}
