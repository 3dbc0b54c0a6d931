package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

func newHealth() *cobra.Command {
	var address string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is serving (exit code 0) or not",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			return checkHealth(ctx, address)
		},
	}
	command.Flags().StringVar(&address, "grpc-address", ":50051", "address the server listens on")
	command.Flags().DurationVar(&timeout, "timeout", 2*time.Second, "how long to wait for an answer")
	return command
}

func checkHealth(ctx context.Context, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--grpc-address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	target := net.JoinHostPort(host, port)
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return err
	}
	defer connection.Close()
	response, err := healthv1.NewHealthClient(connection).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", target, err)
	}
	if response.Status != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("%s is %s", target, response.Status)
	}
	return nil
}
