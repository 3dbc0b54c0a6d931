package ingest

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestMetricsFollowTheAccount makes every counter move that one datagram can move.
func TestMetricsFollowTheAccount(t *testing.T) {
	node := startNode(t, ModeNative, Options{Ports: []uint16{514}, VerifyUDPChecksum: true, SubscriptionDatagrams: 64})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(node.Ingest)
	wire, fine := newWire(t), to4(514).frame([]byte("fine"))
	long, wrong := to4(514), to4(514)
	long.mutateUDP = func(header []byte) { header[4] = 9 }
	wrong.mutateUDP = func(header []byte) { header[6]++ }
	wire.send(t, fine, long.frame(nil), long.frame(nil), wrong.frame(nil))
	node.settled(t, 514, 4)
	subscription, err := node.Subscribe(nil, "")
	must(t, err)
	defer subscription.close()
	for range 70 { // six more than may wait
		wire.send(t, fine)
	}
	eventually(t, "74 datagrams are known", func() bool { return node.account(t, 514).received == 74 })
	compare(t, registry, map[string]string{
		`received_datagrams_total{port="514"}`:                           "74",
		`delivered_datagrams_total{port="514"}`:                          "64",
		`dropped_datagrams_total{cause="malformed",port="514"}`:          "2",
		`dropped_datagrams_total{cause="bad_checksum",port="514"}`:       "1",
		`dropped_datagrams_total{cause="no_subscriber",port="514"}`:      "1",
		`dropped_datagrams_total{cause="slow_client",port="514"}`:        "6",
		`dropped_datagrams_total{cause="receive_queue_full",port="514"}`: "0",
		`pending_datagrams{port="514"}`:                                  "0",
		`subscribers{port="514"}`:                                        "1",
		`info{mode="af_xdp_native",reason=""}`:                           "1",
		`af_xdp_sockets`:                                                 "1",
		`slots_in_use{queue="af_xdp-0"}`:                                 "0",
		`rx_ring_full_total{queue="af_xdp-0"}`:                           "0",
		`fill_ring_empty_total{queue="af_xdp-0"}`:                        "0",
	}, func() { subscription.settle(subscription.pop(nil, 64), true) })
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint %v, %v", problems, err)
	}
}

// compare checks the values after `then`, and before it that what waits is shown.
func compare(t *testing.T, registry *prometheus.Registry, want map[string]string, then func()) {
	t.Helper()
	before := exposition(t, registry)
	for _, line := range []string{`pending_datagrams{port="514"} 64`, `slots_in_use{queue="af_xdp-0"} 64`} {
		if !strings.Contains(before, "\ngo_backend_ingest_"+line+"\n") {
			t.Errorf("while they wait %s is missing in\n%s", line, before)
		}
	}
	then()
	eventually(t, "the clients' slots are back", func() bool {
		return strings.Contains(exposition(t, registry), `slots_in_use{queue="af_xdp-0"} 0`)
	})
	after := exposition(t, registry)
	for name, value := range want {
		if !strings.Contains(after, fmt.Sprintf("\ngo_backend_ingest_%s %s\n", name, value)) {
			t.Errorf("%s is not %s in\n%s", name, value, after)
		}
	}
}

func exposition(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	response := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(response, httptest.NewRequest("GET", "/metrics", nil))
	return response.Body.String()
}
