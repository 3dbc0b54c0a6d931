package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"triptych.dev/go-backend/internal/ingest"
	"triptych.dev/go-backend/internal/server"
	"triptych.dev/go-backend/internal/xdp"
)

func newServe() *cobra.Command {
	config := server.Config{Version: version}
	var mode, ingestMode, failSafe string
	var level slog.Level
	command := &cobra.Command{
		Use:   "serve",
		Short: "Attach the XDP program and serve gRPC and HTTP",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if config.XDP.Mode, err = xdp.ParseMode(mode); err != nil {
				return err
			}
			if config.FailSafe, err = xdp.ParseFailSafe(failSafe); err != nil {
				return fmt.Errorf("--fail-safe-ports: %w", err)
			}
			if config.Ingest.Mode, err = ingest.ParseMode(ingestMode); err != nil {
				return err
			}
			if config.NodeName, err = nodeName(config.NodeName); err != nil {
				return err
			}
			slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
			return server.Run(command.Context(), config)
		},
	}
	flags := command.Flags()
	flags.StringVar(&config.XDP.Interface, "interface", xdp.Auto, "interface to attach to; auto: the default route's")
	flags.StringVar(&mode, "xdp-mode", string(xdp.ModeAuto), "auto, native, generic or off")
	flags.BoolVar(&config.XDP.Force, "force-interface", false, "attach even where a container network owns the interface")
	flags.StringVar(&config.XDP.PinPath, "pin-path", "",
		"directory on a BPF file system: the program stays attached across restarts; empty: it goes when this process does")
	flags.StringVar(&failSafe, "fail-safe-ports", xdp.DefaultFailSafe, "ports that pass whatever the rules say")
	flags.StringVar(&config.StateFile, "state-file", "", "keeps the guard's rules across restarts; empty: they are pushed again")
	flags.StringVar(&config.TLS.Cert, "tls-cert", "", "PEM file of the gRPC server's certificate; empty: plain text")
	flags.StringVar(&config.TLS.Key, "tls-key", "", "PEM file of its key")
	flags.StringVar(&config.TLS.ClientCA, "tls-client-ca", "", "PEM file: clients must show a certificate of this authority")
	flags.BoolVar(&config.PProf, "pprof", false, "serve Go's profiles at /debug/pprof/ of the HTTP address")
	flags.StringVar(&config.GRPCAddress, "grpc-address", ":50051", "address of the gRPC API")
	flags.StringVar(&config.HTTPAddress, "http-address", ":8080", "address of /healthz, /readyz and /metrics")
	flags.StringVar(&config.NodeName, "node-name", "", "name of this node (default: the host name)")
	flags.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	flags.Var((*ports)(&config.Ingest.Ports), "ingest-ports", "UDP ports to stream to subscribers, for example 514,2055; empty: none")
	flags.StringVar(&ingestMode, "ingest-mode", string(ingest.ModeAuto), "auto: AF_XDP where the XDP program is attached, else sockets; socket")
	flags.IntVar(&config.Ingest.Queues, "ingest-queues", ingest.DefaultQueues, "most receive queues to open")
	flags.IntVar(&config.Ingest.Subscriptions, "ingest-subscriptions", ingest.DefaultSubscriptions, "most clients at once")
	flags.IntVar(&config.Ingest.SubscriptionDatagrams, "ingest-subscription-datagrams", ingest.DefaultSubscriptionDatagrams,
		"datagrams that may wait for one client; memory for them is set aside in every receive queue")
	flags.IntVar(&config.Ingest.DatagramBytes, "ingest-datagram-bytes", ingest.DefaultDatagramBytes, "longest datagram that sockets take, a power of two")
	flags.BoolVar(&config.Ingest.VerifyUDPChecksum, "ingest-verify-udp-checksum", false,
		"drop datagrams from AF_XDP with a wrong UDP checksum; not where the sender is a virtual machine or container on this machine")
	return command
}

func nodeName(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("no host name, set --node-name: %w", err)
	}
	return name, nil
}
