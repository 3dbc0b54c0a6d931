package xdp

import (
	"strings"
	"testing"
)

func TestParseFailSafe(t *testing.T) {
	parsed, err := ParseFailSafe(DefaultFailSafe)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]string, len(parsed))
	for i, ports := range parsed {
		words[i] = ports.String()
	}
	if got := strings.Join(words, ","); got != DefaultFailSafe {
		t.Errorf("%s, want %s", got, DefaultFailSafe)
	}
	if none, err := ParseFailSafe(" "); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	for _, bad := range []string{"22", "sctp/22", "tcp/0", "tcp/65536", "tcp/23-22", "tcp/a", "tcp/1-2-3", "answer:tcp/1"} {
		if _, err := ParseFailSafe("tcp/22," + bad); err == nil || !strings.Contains(err.Error(), `"`+bad+`"`) {
			t.Errorf("%s: error %v", bad, err)
		}
	}
}
