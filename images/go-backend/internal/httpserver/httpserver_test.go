package httpserver

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/status"
	"triptych.dev/go-backend/internal/xdp"
)

// node is a fast path on a machine with hugepages.
type node struct {
	state    xdp.State
	counters []xdp.Counter
	err      error
	guard    guard
	ingest   ingest
}

type guard struct{ enforcement guardv1.Enforcement }

func (g *guard) Status() *statusv1.GuardStatus {
	return &statusv1.GuardStatus{Enforcement: &g.enforcement, Revision: 3, Rules: 2}
}

type ingest struct {
	mode   ingestv1.IngestMode
	reason string
	ports  []uint32
}

func (i *ingest) Status() *statusv1.IngestStatus {
	return &statusv1.IngestStatus{Mode: i.mode, Reason: i.reason, Ports: i.ports}
}

func (n *node) parts() status.Node {
	return status.Node{Fastpath: n, Machine: n, Guard: &n.guard, Ingest: &n.ingest}
}

func (n *node) State() xdp.State                    { return n.state }
func (n *node) Counters() ([]xdp.Counter, error)    { return n.counters, n.err }
func (n *node) NumaNodes() ([]host.NumaNode, error) { return nil, n.err }

func (n *node) HugepagePools() ([]host.HugepagePool, error) {
	return []host.HugepagePool{{PageSizeBytes: 2 << 20, TotalPages: 64, FreePages: 60}}, n.err
}

func native() *node {
	return &node{
		state:    xdp.State{Mode: xdp.ModeNative, Interface: "eth0"},
		counters: []xdp.Counter{{Protocol: "tcp", Packets: 3, Bytes: 180}},
		guard:    guard{guardv1.Enforcement{Enforcing: true}},
		ingest:   ingest{mode: ingestv1.IngestMode_INGEST_MODE_AF_XDP_NATIVE, ports: []uint32{514, 2055}},
	}
}

func request(t *testing.T, node *node, serving bool, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	server := New(NewRegistry("1.2.3", node, node), node.parts(), func() bool { return serving }, false)
	response := httptest.NewRecorder()
	server.Handler.ServeHTTP(response, httptest.NewRequest(method, path, nil))
	return response
}

func TestMetricsFollowTheKernel(t *testing.T) {
	node := native()
	registry := NewRegistry("1.2.3", node, node)
	const want = `
# HELP go_backend_hugepages Hugepages in the node's pool.
# TYPE go_backend_hugepages gauge
go_backend_hugepages{page_size_bytes="2097152"} 64
# HELP go_backend_hugepages_free Hugepages in the node's pool that nobody uses.
# TYPE go_backend_hugepages_free gauge
go_backend_hugepages_free{page_size_bytes="2097152"} 60
# HELP go_backend_xdp_bytes_total Bytes received on the interface, Ethernet header included, by protocol class.
# TYPE go_backend_xdp_bytes_total counter
go_backend_xdp_bytes_total{protocol="tcp"} 180
# HELP go_backend_xdp_info 1, with the XDP mode obtained and why no better one was.
# TYPE go_backend_xdp_info gauge
go_backend_xdp_info{interface="eth0",mode="native",reason=""} 1
# HELP go_backend_xdp_packets_total Packets received on the interface, by protocol class.
# TYPE go_backend_xdp_packets_total counter
go_backend_xdp_packets_total{protocol="tcp"} PACKETS
`
	names := []string{"go_backend_hugepages", "go_backend_hugepages_free", "go_backend_xdp_bytes_total",
		"go_backend_xdp_info", "go_backend_xdp_packets_total"}
	for _, packets := range []struct {
		count uint64
		text  string
	}{{3, "3"}, {4, "4"}} {
		node.counters[0].Packets = packets.count
		expected := strings.NewReader(strings.Replace(want, "PACKETS", packets.text, 1))
		if err := testutil.GatherAndCompare(registry, expected, names...); err != nil {
			t.Error(err)
		}
	}
	if problems, err := testutil.GatherAndLint(registry, names...); err != nil || len(problems) > 0 {
		t.Errorf("lint %v, %v", problems, err)
	}
}

func TestUnreadableCountersLeaveTheOtherMetrics(t *testing.T) {
	node := native()
	node.err = errors.New("broken")
	response := request(t, node, true, "GET", "/metrics")
	body := response.Body.String()
	if response.Code != 200 || !strings.Contains(body, "go_backend_xdp_info{") || strings.Contains(body, "go_backend_xdp_packets_total") {
		t.Errorf("%d %s", response.Code, body)
	}
}

func TestReadiness(t *testing.T) {
	const gone = "interface eth0 vanished"
	vanished := &node{
		state: xdp.State{Mode: xdp.ModeOff, Interface: "eth0", Reason: gone}, guard: guard{guardv1.Enforcement{Reason: gone}},
		ingest: ingest{ingestv1.IngestMode_INGEST_MODE_SOCKET, "no XDP program is attached: " + gone, []uint32{514}},
	}
	unused := native()
	unused.ingest = ingest{reason: "no ingest ports"}
	judging, taking := Check{"ok", "revision 3, 2 rules"}, Check{"ok", "af_xdp_native on ports 514 2055"}
	serving, stopping := Check{Status: "ok"}, Check{Status: "unavailable", Detail: "starting or stopping"}
	tests := []struct {
		name    string
		node    *node
		serving bool
		code    int
		want    Health
	}{
		{"native", native(), true, 200, Health{"ok", map[string]Check{
			"grpc": serving, "xdp": {"ok", "native on eth0"}, "guard": judging, "ingest": taking,
		}}},
		{"vanished", vanished, true, 200, Health{"ok", map[string]Check{
			"grpc": serving, "xdp": {"disabled", gone}, "guard": {"disabled", gone},
			"ingest": {"ok", "socket on ports 514: no XDP program is attached: " + gone},
		}}},
		{"no ingest", unused, true, 200, Health{"ok", map[string]Check{
			"grpc": serving, "xdp": {"ok", "native on eth0"}, "guard": judging, "ingest": {"disabled", "no ingest ports"},
		}}},
		{"stopping", native(), false, 503, Health{"unavailable", map[string]Check{
			"grpc": stopping, "xdp": {"ok", "native on eth0"}, "guard": judging, "ingest": taking,
		}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response := request(t, test.node, test.serving, "GET", "/readyz")
			var got Health
			if err := json.Unmarshal(response.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if response.Code != test.code || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%d %+v, want %d %+v", response.Code, got, test.code, test.want)
			}
		})
	}
}

func TestLivenessDoesNotDependOnReadiness(t *testing.T) {
	response := request(t, native(), false, "GET", "/healthz")
	if response.Code != 200 || response.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", response.Code, response.Header())
	}
}

func TestOtherRequests(t *testing.T) {
	if response := request(t, native(), true, "POST", "/healthz"); response.Code != 405 {
		t.Errorf("POST: %d", response.Code)
	}
	if response := request(t, native(), true, "GET", "/debug/pprof/"); response.Code != 404 {
		t.Errorf("pprof: %d", response.Code)
	}
}

func TestProfilesOnlyWhenAskedFor(t *testing.T) {
	node := native()
	server := New(NewRegistry("1.2.3", node, node), node.parts(), func() bool { return true }, true)
	response := httptest.NewRecorder()
	server.Handler.ServeHTTP(response, httptest.NewRequest("GET", "/debug/pprof/heap?debug=1", nil))
	if response.Code != 200 || !strings.Contains(response.Body.String(), "heap profile") {
		t.Errorf("%d %.80s", response.Code, response.Body)
	}
}
