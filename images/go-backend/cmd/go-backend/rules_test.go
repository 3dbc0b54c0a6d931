package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// connectionTo reaches a server in plain text.
func connectionTo(address string) *client {
	return &client{address: address, output: outputTable}
}

const exampleRules = `
policy: {defaultAction: pass, sourceLimit: {packetsPerSecond: 1000}}
rules:
- {id: spammer, prefix: 203.0.113.0/24, action: deny, protocol: 6, ports: [{first: 25}, {first: 8000, last: 8010}], owner: ops}
- {id: friend, prefix: "2001:db8::/32", action: ACTION_ALLOW, expiresAt: "2030-01-02T03:04:05Z"}
- {id: slow, prefix: 192.0.2.0/24, action: rate, limit: {packetsPerSecond: 5}, countOnly: true}
`

func writeRules(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func run(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := execute(t, arguments...)
	if err != nil {
		t.Fatalf("%v: %v", arguments, err)
	}
	return output
}

func TestRulesAreAppliedAndListed(t *testing.T) {
	address, _, _ := serveIngest(t)
	file := writeRules(t, exampleRules)
	if output := run(t, "rules", "apply", "-f", file, "--grpc-address", address); !strings.HasPrefix(output, "revision 1: 3 rules, ") {
		t.Errorf("apply: %s", output)
	}
	if output := run(t, "rules", "apply", "-f", file, "--grpc-address", address); !strings.HasPrefix(output, "revision 2: ") {
		t.Errorf("apply again: %s", output)
	}
	table := run(t, "rules", "list", "--grpc-address", address)
	for _, part := range []string{"spammer", "deny", "203.0.113.0/24", "tcp/25,8000-8010", "2030-01-02T03:04:05Z", "rate (count only)"} {
		if !strings.Contains(table, part) {
			t.Errorf("list lacks %s:\n%s", part, table)
		}
	}
	var listed struct {
		Rules []struct{ Rule struct{ ID string } }
	}
	text := run(t, "rules", "list", "--owner", "ops", "--output", "json", "--grpc-address", address)
	if err := json.Unmarshal([]byte(text), &listed); err != nil || len(listed.Rules) != 1 || listed.Rules[0].Rule.ID != "spammer" {
		t.Errorf("%s, %v", text, err)
	}
	if output := run(t, "status", "--grpc-address", address); !strings.Contains(output, "revision 2") || !strings.Contains(output, "3 rules, pass by default") {
		t.Errorf("status:\n%s", output)
	}
	var status struct{ Status, Guard map[string]any }
	if text := run(t, "status", "--output", "json", "--grpc-address", address); json.Unmarshal([]byte(text), &status) != nil || status.Guard["revision"] != "2" {
		t.Errorf("status: %s", text)
	}
	if output := run(t, "top", "--grpc-address", address); !strings.HasPrefix(output, "SOURCE") {
		t.Errorf("top: %s", output)
	}
}

func TestRulesErrorsNameTheFix(t *testing.T) {
	address, _, _ := serveIngest(t)
	tests := []struct {
		name, text, want string
	}{
		{"field", "policy: {defaultAction: pass}\nrule: []", "unknown field"},
		{"rule field", "policy: {defaultAction: pass}\nrules: [{id: a, prefixes: 10.0.0.0/8}]", "rule number 1"},
		{"action", "policy: {defaultAction: pass}\nrules: [{id: a, prefix: 10.0.0.0/8, action: reject}]", "ACTION_REJECT"},
		{"no policy", "rules: []", "the policy's default_action must be"},
		{"prefix", "policy: {defaultAction: pass}\nrules: [{id: a, prefix: 10.0.0.1/8, action: deny}]", "did you mean 10.0.0.0/8?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := execute(t, "rules", "apply", "-f", writeRules(t, test.text), "--grpc-address", address)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	for want, arguments := range map[string][]string{
		"no rules: set --file":             {"rules", "apply", "--grpc-address", address},
		`unknown output "xml"`:             {"top", "--output", "xml"},
		"does not answer":                  {"status", "--grpc-address", "127.0.0.1:1"},
		"limit 101 is above 100":           {"top", "--limit", "101", "--grpc-address", address},
		"--tls-client-cert and":            {"status", "--tls-client-cert", "a"},
		"--tls-ca":                         {"status", "--tls-ca", "missing"},
		"a measurement needs 1 to 1048576": {"bench", "--prefixes", "0"},
	} {
		if _, err := execute(t, arguments...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %s", arguments, err, want)
		}
	}
}

func TestBenchMeasuresEveryWay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF and CAP_NET_ADMIN")
	}
	var results []struct {
		Name                 string
		NanosecondsPerPacket float64 `json:"nanoseconds_per_packet"`
	}
	text := run(t, "bench", "--prefixes", "50", "--sources", "2", "--packets", "100", "--output", "json")
	if err := json.Unmarshal([]byte(text), &results); err != nil || len(results) != 9 {
		t.Fatalf("%s, %v", text, err)
	}
	for _, result := range results {
		// So few packets tell nothing about a difference of two times.
		if result.NanosecondsPerPacket <= 0 && !strings.Contains(result.Name, "every packet") {
			t.Errorf("%+v", result)
		}
	}
}
