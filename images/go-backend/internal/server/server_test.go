package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	grpcstatus "google.golang.org/grpc/status"

	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/freeport"
	"triptych.dev/go-backend/internal/httpserver"
	"triptych.dev/go-backend/internal/xdp"
)

// start runs the whole server in mode off and gives a way to stop it, which returns its error.
func start(t *testing.T) (Config, *grpc.ClientConn, func() error) {
	t.Helper()
	config := Config{
		Version: "1.2.3", NodeName: "worker", GRPCAddress: freeport.Address(t), HTTPAddress: freeport.Address(t),
		XDP: xdp.Options{Interface: xdp.Auto, Mode: xdp.ModeOff},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, config) }()
	stop := func() error { cancel(); return <-done }
	connection, err := grpc.NewClient(config.GRPCAddress,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return config, connection, stop
}

func get(t *testing.T, config Config, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + config.HTTPAddress + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServesAndStops(t *testing.T) {
	config, connection, stop := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	response, err := statusv1.NewStatusServiceClient(connection).GetStatus(ctx, &statusv1.GetStatusRequest{})
	if err != nil || response.Version != "1.2.3" || response.NodeName != "worker" || response.Xdp.Mode != statusv1.XdpMode_XDP_MODE_OFF {
		t.Fatalf("status %v, %v", response, err)
	}
	for _, service := range []string{"", "status.v1.StatusService"} {
		answer, err := healthv1.NewHealthClient(connection).Check(ctx, &healthv1.HealthCheckRequest{Service: service})
		if err != nil || answer.Status != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, answer, err)
		}
	}
	if code, body := get(t, config, "/healthz"); code != 200 || strings.TrimSpace(body) != `{"status":"ok"}` {
		t.Errorf("/healthz %d %s", code, body)
	}
	var ready httpserver.Health
	code, body := get(t, config, "/readyz")
	if err := json.Unmarshal([]byte(body), &ready); err != nil || code != 200 || ready.Status != "ok" {
		t.Errorf("/readyz %d %s", code, body)
	}
	for part, reason := range map[string]string{
		"xdp": "switched off by configuration", "guard": "switched off by configuration", "ingest": "no ingest ports: set --ingest-ports",
	} {
		if want := (httpserver.Check{Status: "disabled", Detail: reason}); ready.Checks[part] != want {
			t.Errorf("/readyz %v, want %s %v", ready, part, want)
		}
	}
	if response.Guard.Enforcement.Reason != "switched off by configuration" || response.Ingest.Reason == "" {
		t.Errorf("status %v", response)
	}
	_, metrics := get(t, config, "/metrics")
	for _, line := range []string{
		`go_backend_xdp_info{interface="",mode="off",reason="switched off by configuration"} 1`,
		`go_backend_guard_enforcing{reason="switched off by configuration"} 0`,
		`grpc_server_handled_total{grpc_code="OK",grpc_method="GetStatus",grpc_service="status.v1.StatusService",grpc_type="unary"} 1`,
		`version="1.2.3"} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := net.Dial("tcp", config.GRPCAddress); err == nil {
		t.Error("the gRPC port is still open")
	}
}

func TestReflectionListsTheServices(t *testing.T) {
	_, connection, stop := start(t)
	stream, err := reflectionv1.NewServerReflectionClient(connection).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{ListServices: "*"},
	}
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil || !strings.Contains(answer.String(), "status.v1.StatusService") {
		t.Errorf("services %v, %v", answer, err)
	}
	if err := errors.Join(stream.CloseSend(), stop()); err != nil {
		t.Error(err)
	}
}

func TestOversizedRequestIsRefused(t *testing.T) {
	_, connection, stop := start(t)
	request := &healthv1.HealthCheckRequest{Service: strings.Repeat("x", maxRequestBytes+1)}
	_, err := healthv1.NewHealthClient(connection).Check(t.Context(), request)
	if grpcstatus.Code(err) != codes.ResourceExhausted {
		t.Errorf("error %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestStopEndsHealthWatches(t *testing.T) {
	_, connection, stop := start(t)
	watch, err := healthv1.NewHealthClient(connection).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.Status != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("health %v, %v", first, err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if next, err := watch.Recv(); err != nil || next.Status != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("health %v, %v", next, err)
	}
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(stopTimeout + 5*time.Second):
		t.Error("an open watch keeps the server from stopping")
	}
}

func TestBusyPort(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	address := busy.Addr().String()
	for flag, config := range map[string]Config{
		"--grpc-address": {GRPCAddress: address, HTTPAddress: "127.0.0.1:0"},
		"--http-address": {GRPCAddress: "127.0.0.1:0", HTTPAddress: address},
	} {
		want := address + " is in use by another process: free it or choose another " + flag
		if err := Run(t.Context(), config); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestBadAddress(t *testing.T) {
	err := Run(t.Context(), Config{GRPCAddress: "50051"})
	if err == nil || !strings.Contains(err.Error(), "--grpc-address 50051") {
		t.Errorf("error %v", err)
	}
}

func TestPanicBecomesAnInternalError(t *testing.T) {
	err := recoverPanic(t.Context(), "boom")
	if grpcstatus.Code(err) != codes.Internal || strings.Contains(err.Error(), "boom") {
		t.Errorf("error %v", err)
	}
}
