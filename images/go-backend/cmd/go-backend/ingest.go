package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
)

// ingestClient is what the ingest commands share.
type ingestClient struct {
	address, output string
	timeout         time.Duration
}

func newIngest() *cobra.Command {
	command := &cobra.Command{Use: "ingest", Short: "Look at a server's UDP ingest", Args: cobra.NoArgs}
	command.AddCommand(newIngestStreams(), newIngestTail())
	return command
}

func (c *ingestClient) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.address, "grpc-address", ":50051", "address the server listens on")
	flags.StringVar(&c.output, "output", outputTable, "table or json")
	flags.DurationVar(&c.timeout, "timeout", 5*time.Second, "how long to wait for the server")
}

const (
	outputTable = "table"
	outputJSON  = "json"
)

// dial checks the flags that every command has.
func (c *ingestClient) dial() (ingestv1.IngestServiceClient, io.Closer, error) {
	if c.output != outputTable && c.output != outputJSON {
		return nil, nil, fmt.Errorf("unknown output %q: use table or json", c.output)
	}
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return nil, nil, fmt.Errorf("--grpc-address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	connection, err := grpc.NewClient(net.JoinHostPort(host, port),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return nil, nil, err
	}
	return ingestv1.NewIngestServiceClient(connection), connection, nil
}

func newIngestStreams() *cobra.Command {
	client := ingestClient{}
	command := &cobra.Command{
		Use:   "streams",
		Short: "List the ingest ports, receive queues and subscriptions with their counters",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			service, connection, err := client.dial()
			if err != nil {
				return err
			}
			defer connection.Close()
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			answer, err := service.ListStreams(ctx, &ingestv1.ListStreamsRequest{})
			if err != nil {
				return explainCall(client.address, err)
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
	ingestClient
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
	service, connection, err := o.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	request := &ingestv1.SubscribeRequest{MaxBatch: o.batch, MaxLatency: durationpb.New(o.latency)}
	for _, port := range o.ports {
		request.Ports = append(request.Ports, uint32(port))
	}
	stream, err := service.Subscribe(ctx, request)
	if err != nil {
		return explainCall(o.address, err)
	}
	printer := newTailPrinter(o.output, output, messages)
	for o.count == 0 || printer.printed < o.count {
		response, err := stream.Recv()
		if ctx.Err() != nil {
			return nil // interrupted, as intended
		}
		if err != nil {
			return explainCall(o.address, err)
		}
		if err := printer.print(response, o.count); err != nil {
			return err
		}
	}
	return nil
}

func explainCall(address string, err error) error {
	status := grpcstatus.Convert(err)
	switch status.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return fmt.Errorf("%s does not answer: %s", address, status.Message())
	case codes.Unimplemented:
		return fmt.Errorf("%s has no ingest: it runs another version", address)
	}
	return errors.New(status.Message())
}
