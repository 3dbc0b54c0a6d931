package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	grpcstatus "google.golang.org/grpc/status"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
)

const (
	maxRequestBytes  = 1 << 20
	maxConcurrent    = 128
	unaryTimeout     = 5 * time.Second
	handshakeTimeout = 10 * time.Second
)

// services are what the server offers beside health and reflection.
type services struct {
	status statusv1.StatusServiceServer
	ingest ingestv1.IngestServiceServer
	guard  guardv1.GuardServiceServer
}

// newGRPC builds the gRPC server with all services, health and reflection.
func newGRPC(
	credentials credentials.TransportCredentials, offered services, registry *prometheus.Registry,
) (*grpc.Server, *health.Server) {
	metrics := grpcprom.NewServerMetrics()
	registry.MustRegister(metrics)
	recoverer := recovery.WithRecoveryHandlerContext(recoverPanic)
	server := grpc.NewServer(
		grpc.Creds(credentials),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxConcurrentStreams(maxConcurrent),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.ChainUnaryInterceptor(
			metrics.UnaryServerInterceptor(), recovery.UnaryServerInterceptor(recoverer), limitTime),
		grpc.ChainStreamInterceptor(metrics.StreamServerInterceptor(), recovery.StreamServerInterceptor(recoverer)),
	)
	statusv1.RegisterStatusServiceServer(server, offered.status)
	ingestv1.RegisterIngestServiceServer(server, offered.ingest)
	guardv1.RegisterGuardServiceServer(server, offered.guard)
	healthServer := health.NewServer()
	healthv1.RegisterHealthServer(server, healthServer)
	reflection.Register(server)
	metrics.InitializeMetrics(server)
	for name := range server.GetServiceInfo() {
		healthServer.SetServingStatus(name, healthv1.HealthCheckResponse_SERVING)
	}
	return server, healthServer
}

// limitTime bounds a call whose client set no deadline, or a longer one.
func limitTime(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	return next(ctx, request)
}

func recoverPanic(_ context.Context, cause any) error {
	slog.Error("panic in a gRPC handler", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	return grpcstatus.Error(codes.Internal, "internal error")
}
