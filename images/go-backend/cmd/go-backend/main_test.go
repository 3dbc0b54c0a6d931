package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// patience is for a machine that is busy with other things; whatever is right comes at once elsewhere.
const patience = time.Minute

// execute runs a command line and returns what it prints.
func execute(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var output bytes.Buffer
	root := newRoot()
	root.SetArgs(arguments)
	root.SetOut(&output)
	err := root.ExecuteContext(ctx)
	return output.String(), err
}

func TestVersion(t *testing.T) {
	if output, err := execute(t, "version"); err != nil || output != version+"\n" {
		t.Errorf("%q, %v", output, err)
	}
}

func TestConfigurationErrorsNameTheFix(t *testing.T) {
	tests := []struct {
		name        string
		environment map[string]string
		arguments   []string
		want        string
	}{
		{"mode", nil, []string{"--xdp-mode", "fast"}, `unknown XDP mode "fast": use auto, native, generic or off`},
		{"mode from the environment", map[string]string{"GO_BACKEND_XDP_MODE": "fast"}, nil, "use auto, native, generic or off"},
		{"switch", map[string]string{"GO_BACKEND_FORCE_INTERFACE": "perhaps"}, nil, "GO_BACKEND_FORCE_INTERFACE"},
		{"log level", map[string]string{"GO_BACKEND_LOG_LEVEL": "loud"}, nil, "GO_BACKEND_LOG_LEVEL"},
		{"address", nil, []string{"--grpc-address", "here"}, "--grpc-address here"},
		{"unknown flag", nil, []string{"--xdp-mod", "off"}, "unknown flag: --xdp-mod"},
		{"argument", nil, []string{"eth0"}, "unknown command"},
		{"interface", nil, []string{"--interface", "missing0", "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"},
			`interface "missing0" does not exist: set --interface to one of`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.environment {
				t.Setenv(name, value)
			}
			_, err := execute(t, append([]string{"serve"}, test.arguments...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %s", err, test.want)
			}
		})
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	t.Setenv("GO_BACKEND_XDP_MODE", "fast")
	t.Setenv("GO_BACKEND_GRPC_ADDRESS", "from the environment")
	_, err := execute(t, "serve", "--xdp-mode", "off")
	if err == nil || !strings.Contains(err.Error(), "--grpc-address from the environment") {
		t.Errorf("error %v", err)
	}
}

// listenHealth serves grpc.health.v1 with one answer.
func listenHealth(t *testing.T, answer healthv1.HealthCheckResponse_ServingStatus) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, service := grpc.NewServer(), health.NewServer()
	service.SetServingStatus("", answer)
	healthv1.RegisterHealthServer(server, service)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func TestHealth(t *testing.T) {
	serving := listenHealth(t, healthv1.HealthCheckResponse_SERVING)
	if _, err := execute(t, "health", "--grpc-address", serving); err != nil {
		t.Error(err)
	}
	_, port, _ := net.SplitHostPort(serving)
	t.Setenv("GO_BACKEND_GRPC_ADDRESS", ":"+port)
	if _, err := execute(t, "health"); err != nil {
		t.Error(err)
	}
	stopping := listenHealth(t, healthv1.HealthCheckResponse_NOT_SERVING)
	if _, err := execute(t, "health", "--grpc-address", stopping); err == nil || !strings.Contains(err.Error(), "NOT_SERVING") {
		t.Errorf("error %v", err)
	}
	if _, err := execute(t, "health", "--grpc-address", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("error %v", err)
	}
}
