package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
)

func newStatus() *cobra.Command {
	client := client{}
	command := &cobra.Command{
		Use:   "status",
		Short: "Show the node, the XDP program and what it did to packets",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			return showStatus(ctx, &client, command.OutOrStdout())
		},
	}
	client.register(command.Flags())
	return command
}

func showStatus(ctx context.Context, client *client, output io.Writer) error {
	connection, err := client.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	node, err := statusv1.NewStatusServiceClient(connection).GetStatus(ctx, &statusv1.GetStatusRequest{})
	if err != nil {
		return client.explain("status", err)
	}
	revision, err := guardv1.NewGuardServiceClient(connection).GetRevision(ctx, &guardv1.GetRevisionRequest{})
	if err != nil {
		return client.explain("guard", err)
	}
	if client.output == outputJSON {
		return printStatusJSON(output, node, revision)
	}
	return printStatus(output, node, revision)
}

func printStatusJSON(output io.Writer, node *statusv1.GetStatusResponse, revision *guardv1.GetRevisionResponse) error {
	options := protojson.MarshalOptions{EmitUnpopulated: true}
	nodeText, err := options.Marshal(node)
	if err != nil {
		return err
	}
	revisionText, err := options.Marshal(revision)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(output, "{\"status\":%s,\"guard\":%s}\n", nodeText, revisionText)
	return err
}

func printStatus(output io.Writer, node *statusv1.GetStatusResponse, revision *guardv1.GetRevisionResponse) error {
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "NODE\t%s\tversion %s, kernel %s\n", node.NodeName, node.Version, node.KernelRelease)
	fmt.Fprintf(table, "XDP\t%s\t%s %s\n", word("XDP_MODE_", node.Xdp.GetMode()), node.Xdp.GetInterface(), node.Xdp.GetReason())
	enforcing := "enforcing"
	if !revision.Enforcement.GetEnforcing() {
		enforcing = "not enforcing: " + revision.Enforcement.GetReason()
	}
	fmt.Fprintf(table, "GUARD\trevision %d\t%d rules, %s by default, %s\n", revision.Revision, revision.Rules,
		word("DEFAULT_ACTION_", revision.Policy.GetDefaultAction()), enforcing)
	fmt.Fprintf(table, "INGEST\t%s\t%s\n", ingestWord(node.Ingest), node.Ingest.GetReason())
	for _, numa := range node.NumaNodes {
		fmt.Fprintf(table, "NUMA\tnode %d\tCPUs %s, %d MiB\n", numa.Id, numa.Cpus, numa.MemoryBytes>>20)
	}
	for _, pool := range node.HugepagePools {
		fmt.Fprintf(table, "HUGEPAGES\t%d KiB\t%d of %d free\n", pool.PageSizeBytes>>10, pool.FreePages, pool.TotalPages)
	}
	if len(revision.Counters) > 0 {
		fmt.Fprintln(table, "\nVERDICT\tPROTOCOL\tPACKETS\tBYTES")
	}
	for _, counter := range revision.Counters {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", word("VERDICT_", counter.Verdict), counter.Protocol, counter.Packets, counter.Bytes)
	}
	return table.Flush()
}

func ingestWord(ingest *statusv1.IngestStatus) string {
	if len(ingest.GetPorts()) == 0 {
		return "off"
	}
	ports := strings.Trim(fmt.Sprint(ingest.Ports), "[]")
	return fmt.Sprintf("%s, ports %s, %d clients", word("INGEST_MODE_", ingest.Mode), ports, ingest.Subscriptions)
}

func newTop() *cobra.Command {
	client := client{}
	var limit uint32
	command := &cobra.Command{
		Use:   "top",
		Short: "Show the sources that sent most packets, estimated from samples",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			connection, err := client.dial()
			if err != nil {
				return err
			}
			defer connection.Close()
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			answer, err := guardv1.NewGuardServiceClient(connection).ListTopSources(ctx, &guardv1.ListTopSourcesRequest{Limit: limit})
			if err != nil {
				return client.explain("guard", err)
			}
			if client.output == outputJSON {
				return printJSON(command.OutOrStdout(), answer)
			}
			return printTop(command.OutOrStdout(), answer)
		},
	}
	client.register(command.Flags())
	command.Flags().Uint32Var(&limit, "limit", 10, "how many, at most 100")
	return command
}

func printTop(output io.Writer, answer *guardv1.ListTopSourcesResponse) error {
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tPACKETS\tDROPPED\tMAY BE LESS BY")
	for _, source := range answer.Sources {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", source.Source, source.Packets, source.DroppedPackets, source.Error)
	}
	return table.Flush()
}
