// Package server wires the parts together and runs them until told to stop.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"triptych.dev/go-backend/internal/guard"
	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/httpserver"
	"triptych.dev/go-backend/internal/ingest"
	"triptych.dev/go-backend/internal/status"
	"triptych.dev/go-backend/internal/xdp"
)

const stopTimeout = 5 * time.Second

// Config is what the command line decides.
type Config struct {
	Version     string
	NodeName    string
	GRPCAddress string
	HTTPAddress string
	XDP         xdp.Options
	FailSafe    xdp.FailSafe
	// StateFile keeps the guard's revision across restarts; empty: nothing does.
	StateFile string
	TLS       TLSFiles
	// PProf serves Go's profiles over HTTP.
	PProf  bool
	Ingest ingest.Options
}

// Run serves until the context ends, then finishes running calls and detaches the program.
func Run(ctx context.Context, config Config) (err error) {
	started := time.Now()
	grpcListener, err := listen(ctx, config.GRPCAddress, "--grpc-address")
	if err != nil {
		return err
	}
	defer grpcListener.Close()
	httpListener, err := listen(ctx, config.HTTPAddress, "--http-address")
	if err != nil {
		return err
	}
	defer httpListener.Close()

	credentials, err := config.TLS.credentials()
	if err != nil {
		return err
	}
	path, err := startFastPath(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, path.close()) }()
	attachment := path.attachment
	logAttachment(attachment)

	kernel, err := host.KernelRelease()
	if err != nil {
		return err
	}
	identity := status.Identity{
		Version: config.Version, NodeName: config.NodeName, KernelRelease: kernel, StartedAt: started,
	}
	machine := host.New()
	received, err := startIngest(config.Ingest, attachment, machine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, received.Close()) }()
	registry := httpserver.NewRegistry(config.Version, attachment, machine)
	registry.MustRegister(received, guard.NewCollector(path.guard, path.telemetry, attachment))
	stopping := make(chan struct{})
	judging := guard.NewService(path.guard, path.telemetry, attachment, config.FailSafe, stopping)
	node := status.Node{Fastpath: attachment, Machine: machine, Guard: judging, Ingest: received}
	grpcServer, healthServer := newGRPC(credentials, services{
		status: status.New(identity, node), ingest: ingest.NewService(received), guard: judging,
	}, registry)
	var serving atomic.Bool
	serving.Store(true)
	httpServer := httpserver.New(registry, node, serving.Load, config.PProf)
	slog.Info("serving", "grpc_address", grpcListener.Addr().String(), "http_address", httpListener.Addr().String(),
		"version", config.Version, "node", config.NodeName, "kernel", kernel)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return grpcServer.Serve(grpcListener) })
	group.Go(func() error { return serveHTTP(httpServer, httpListener) })
	path.run(ctx, group)
	group.Go(func() error { received.Watch(ctx, reattachInterval); return nil })
	group.Go(func() error {
		<-ctx.Done()
		slog.Info("stopping")
		serving.Store(false)
		close(stopping)
		received.Stop() // or its streams would hold up the graceful stop
		return stop(grpcServer, healthServer, httpServer)
	})
	return group.Wait()
}

// listen opens a port before anything else happens, so that a busy one leaves nothing behind.
func listen(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another process: free it or choose another %s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, address, err)
	}
	return listener, nil
}

// startIngest opens the ingest ports, with AF_XDP where the program is attached.
func startIngest(options ingest.Options, attachment *xdp.Attachment, machine *host.Host) (*ingest.Ingest, error) {
	if len(options.Ports) == 0 { // spare the program the look for datagrams that nobody wants
		return ingest.Start(options, ingest.Source{State: attachment.State(), Now: attachment.State}, machine)
	}
	source, err := ingest.SourceOf(attachment)
	if err != nil {
		return nil, err
	}
	return ingest.Start(options, source, machine)
}

func logAttachment(attachment *xdp.Attachment) {
	state := attachment.State()
	fields := []any{"mode", state.Mode, "interface", state.Interface, "interface_index", state.InterfaceIndex,
		"program_id", state.ProgramID, "reason", state.Reason}
	switch {
	case attachment.Err() != nil:
		slog.Error("xdp", append(fields, "verifier", xdp.VerifierLog(attachment.Err()))...)
	case state.Mode != xdp.ModeNative:
		slog.Warn("xdp", fields...)
	default:
		slog.Info("xdp", fields...)
	}
}

func serveHTTP(server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stop lets running calls finish, for at most stopTimeout.
func stop(grpcServer *grpc.Server, healthServer *health.Server, httpServer *http.Server) error {
	healthServer.Shutdown()
	timer := time.AfterFunc(stopTimeout, grpcServer.Stop)
	defer timer.Stop()
	grpcServer.GracefulStop()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return httpServer.Shutdown(ctx)
}
