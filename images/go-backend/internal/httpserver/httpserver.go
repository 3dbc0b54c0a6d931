// Package httpserver serves /healthz, /readyz and /metrics.
package httpserver

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/status"
	"triptych.dev/go-backend/internal/xdp"
)

// Check is the state of one part: "ok", "unavailable" or "disabled".
type Check struct {
	Status string `json:"status"`
	Detail string `json:"detail"`
}

// Health is the body of /healthz and /readyz.
type Health struct {
	Status string           `json:"status"`
	Checks map[string]Check `json:"checks,omitempty"`
}

// New builds the server; ready tells whether gRPC is being served, profiles whether to serve /debug/pprof/.
func New(registry *prometheus.Registry, node status.Node, ready func() bool, profiles bool) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(response http.ResponseWriter, _ *http.Request) {
		writeJSON(response, http.StatusOK, Health{Status: "ok"})
	})
	mux.HandleFunc("GET /readyz", func(response http.ResponseWriter, _ *http.Request) {
		health := readiness(ready(), node)
		code := http.StatusOK
		if health.Status != "ok" {
			code = http.StatusServiceUnavailable
		}
		writeJSON(response, code, health)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry: registry, ErrorHandling: promhttp.ContinueOnError, Timeout: 5 * time.Second,
	}))
	if profiles {
		addProfiles(mux)
	}
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
}

func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// readiness depends on gRPC alone: a node without XDP still reports why.
func readiness(serving bool, node status.Node) Health {
	grpc := Check{Status: "ok"}
	health := Health{Status: "ok"}
	if !serving {
		grpc = Check{Status: "unavailable", Detail: "starting or stopping"}
		health.Status = "unavailable"
	}
	health.Checks = map[string]Check{
		"grpc": grpc, "xdp": xdpCheck(node.Fastpath.State()), "guard": guardCheck(node.Guard.Status()), "ingest": ingestCheck(node.Ingest.Status()),
	}
	return health
}

func xdpCheck(state xdp.State) Check {
	if state.Mode == xdp.ModeOff {
		return Check{Status: "disabled", Detail: state.Reason}
	}
	return Check{Status: "ok", Detail: string(state.Mode) + " on " + state.Interface}
}

func guardCheck(now *statusv1.GuardStatus) Check {
	if !now.Enforcement.Enforcing {
		return Check{Status: "disabled", Detail: now.Enforcement.Reason}
	}
	return Check{Status: "ok", Detail: fmt.Sprintf("revision %d, %d rules", now.Revision, now.Rules)}
}

func ingestCheck(now *statusv1.IngestStatus) Check {
	if len(now.Ports) == 0 {
		return Check{Status: "disabled", Detail: now.Reason}
	}
	detail := fmt.Sprintf("%s on ports %s", modeWord(now.Mode), strings.Trim(fmt.Sprint(now.Ports), "[]"))
	if now.Reason != "" {
		detail += ": " + now.Reason
	}
	return Check{Status: "ok", Detail: detail}
}

func modeWord(mode ingestv1.IngestMode) string {
	return strings.ToLower(strings.TrimPrefix(mode.String(), "INGEST_MODE_"))
}

func writeJSON(response http.ResponseWriter, code int, body any) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	if err := json.NewEncoder(response).Encode(body); err != nil {
		slog.Debug("client left before the answer", "error", err)
	}
}
