package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"triptych.dev/go-backend/internal/server"
	"triptych.dev/go-backend/internal/xdp"
)

func newServe() *cobra.Command {
	config := server.Config{Version: version}
	var mode string
	var level slog.Level
	command := &cobra.Command{
		Use:   "serve",
		Short: "Attach the XDP program and serve gRPC and HTTP",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if config.XDP.Mode, err = xdp.ParseMode(mode); err != nil {
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
	flags.StringVar(&config.GRPCAddress, "grpc-address", ":50051", "address of the gRPC API")
	flags.StringVar(&config.HTTPAddress, "http-address", ":8080", "address of /healthz, /readyz and /metrics")
	flags.StringVar(&config.NodeName, "node-name", "", "name of this node (default: the host name)")
	flags.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
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
