package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
)

func newIngest() *cobra.Command {
	command := &cobra.Command{Use: "ingest", Short: "Look at a server's UDP ingest", Args: cobra.NoArgs}
	command.AddCommand(newIngestStreams(), newIngestTail())
	return command
}

func newIngestStreams() *cobra.Command {
	client := client{}
	command := &cobra.Command{
		Use:   "streams",
		Short: "List the ingest ports, receive queues and subscriptions with their counters",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			connection, err := client.dial()
			if err != nil {
				return err
			}
			defer connection.Close()
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			answer, err := ingestv1.NewIngestServiceClient(connection).ListStreams(ctx, &ingestv1.ListStreamsRequest{})
			if err != nil {
				return client.explain("ingest", err)
			}
			if client.output == outputJSON {
				return printJSON(command.OutOrStdout(), answer)
			}
			return printStreams(command.OutOrStdout(), answer)
		},
	}
	client.register(command.Flags())
	return command
}

// tail is what to read and when to end.
type tail struct {
	client
	ports   ports
	count   int
	batch   uint32
	latency time.Duration
}

func newIngestTail() *cobra.Command {
	options := tail{}
	command := &cobra.Command{
		Use:   "tail",
		Short: "Print the datagrams that arrive, a line each, and the losses",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return options.run(command.Context(), command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	flags := command.Flags()
	options.register(flags)
	flags.Var(&options.ports, "ports", "ports to read; empty: all")
	flags.IntVar(&options.count, "count", 0, "end after so many datagrams; 0: only when interrupted")
	flags.Uint32Var(&options.batch, "max-batch", 0, "most datagrams in one message; 0: the server's default")
	flags.DurationVar(&options.latency, "max-latency", 5*time.Millisecond, "how long a datagram may wait for others")
	return command
}

func (o *tail) run(ctx context.Context, output, messages io.Writer) error {
	connection, err := o.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	request := &ingestv1.SubscribeRequest{MaxBatch: o.batch, MaxLatency: durationpb.New(o.latency)}
	for _, port := range o.ports {
		request.Ports = append(request.Ports, uint32(port))
	}
	stream, err := ingestv1.NewIngestServiceClient(connection).Subscribe(ctx, request)
	if err != nil {
		return o.explain("ingest", err)
	}
	printer := newTailPrinter(o.output, output, messages)
	for o.count == 0 || printer.printed < o.count {
		response, err := stream.Recv()
		if ctx.Err() != nil {
			return nil // interrupted, as intended
		}
		if err != nil {
			return o.explain("ingest", err)
		}
		if err := printer.print(response, o.count); err != nil {
			return err
		}
	}
	return nil
}
