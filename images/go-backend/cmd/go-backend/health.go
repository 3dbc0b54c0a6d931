package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

func newHealth() *cobra.Command {
	client := client{}
	command := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is serving (exit code 0) or not",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			return checkHealth(ctx, &client)
		},
	}
	client.registerConnection(command.Flags(), 2*time.Second)
	return command
}

func checkHealth(ctx context.Context, client *client) error {
	connection, err := client.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	response, err := healthv1.NewHealthClient(connection).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", client.address, err)
	}
	if response.Status != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("%s is %s", client.address, response.Status)
	}
	return nil
}
