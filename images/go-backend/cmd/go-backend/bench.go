package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"triptych.dev/go-backend/internal/guard"
)

func newBench() *cobra.Command {
	options := guard.MeasureOptions{}
	var output string
	command := &cobra.Command{
		Use:   "bench",
		Short: "Measure what the XDP program costs per packet on this kernel; it is attached nowhere",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if output != outputTable && output != outputJSON {
				return fmt.Errorf("unknown output %q: use table or json", output)
			}
			results, err := guard.Measure(options)
			if err != nil {
				return err
			}
			if output == outputJSON {
				return json.NewEncoder(command.OutOrStdout()).Encode(results)
			}
			table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "PACKET\tNANOSECONDS")
			for _, result := range results {
				fmt.Fprintf(table, "%s\t%.0f\n", result.Name, result.NanosecondsPerPacket)
			}
			return table.Flush()
		},
	}
	flags := command.Flags()
	flags.StringVar(&output, "output", outputTable, "table or json")
	flags.IntVar(&options.Prefixes, "prefixes", 100_000, "denied prefixes")
	flags.IntVar(&options.Sources, "sources", 16, "sources that packets come from, one after the other")
	flags.IntVar(&options.Packets, "packets", 2_000_000, "packets for each figure")
	return command
}
