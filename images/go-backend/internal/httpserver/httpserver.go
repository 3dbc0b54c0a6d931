// Package httpserver serves /healthz, /readyz and /metrics.
package httpserver

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

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
func New(registry *prometheus.Registry, fastpath status.Fastpath, ready func() bool, profiles bool) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(response http.ResponseWriter, _ *http.Request) {
		writeJSON(response, http.StatusOK, Health{Status: "ok"})
	})
	mux.HandleFunc("GET /readyz", func(response http.ResponseWriter, _ *http.Request) {
		health := readiness(ready(), fastpath.State())
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
func readiness(serving bool, state xdp.State) Health {
	grpc := Check{Status: "ok"}
	health := Health{Status: "ok"}
	if !serving {
		grpc = Check{Status: "unavailable", Detail: "starting or stopping"}
		health.Status = "unavailable"
	}
	fastpath := Check{Status: "ok", Detail: string(state.Mode) + " on " + state.Interface}
	if state.Mode == xdp.ModeOff {
		fastpath = Check{Status: "disabled", Detail: state.Reason}
	}
	health.Checks = map[string]Check{"grpc": grpc, "xdp": fastpath}
	return health
}

func writeJSON(response http.ResponseWriter, code int, body any) {
	response.Header().Set("Content-Type", "application/json")
	response.WriteHeader(code)
	if err := json.NewEncoder(response).Encode(body); err != nil {
		slog.Debug("client left before the answer", "error", err)
	}
}
