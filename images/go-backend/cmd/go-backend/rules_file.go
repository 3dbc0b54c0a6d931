package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
)

// rulesFile is what `rules apply` reads; policy and rules are messages of guard.v1.
type rulesFile struct {
	Revision uint64         `json:"revision"`
	Force    bool           `json:"force"`
	Policy   map[string]any `json:"policy"`
	Rules    []any          `json:"rules"`
}

// parseRules reads YAML or JSON. Actions may be written short: "deny" for ACTION_DENY.
func parseRules(text []byte) (*guardv1.RevisionHeader, []*guardv1.Rule, error) {
	var file rulesFile
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, nil, err
	}
	header := &guardv1.RevisionHeader{Revision: file.Revision, Force: file.Force, Policy: &guardv1.Policy{}}
	if file.Policy != nil { // the server says what a policy must hold
		lengthen(file.Policy, "defaultAction", "DEFAULT_ACTION_")
		if err := convert(file.Policy, header.Policy); err != nil {
			return nil, nil, fmt.Errorf("policy: %w", err)
		}
	}
	rules := make([]*guardv1.Rule, len(file.Rules))
	for i, raw := range file.Rules {
		if fields, ok := raw.(map[string]any); ok {
			lengthen(fields, "action", "ACTION_")
		}
		rules[i] = &guardv1.Rule{}
		if err := convert(raw, rules[i]); err != nil {
			return nil, nil, fmt.Errorf("rule number %d: %w", i+1, err)
		}
	}
	return header, rules, nil
}

func lengthen(fields map[string]any, name, prefix string) {
	if short, ok := fields[name].(string); ok && !strings.HasPrefix(short, prefix) {
		fields[name] = prefix + strings.ToUpper(short)
	}
}

func convert(raw any, message proto.Message) error {
	text, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(text, message)
}
