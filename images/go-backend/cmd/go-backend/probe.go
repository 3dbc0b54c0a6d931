package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"triptych.dev/go-backend/internal/probe"
	"triptych.dev/go-backend/internal/xdp"
)

// probeOptions are the flags of one probe command.
type probeOptions struct {
	label, nfd, print bool
	output            string
	hugepages         string
	minimum           string
	apiServer         string
	serviceAccount    string
	features          string
	config            probe.Config
}

func newProbe() *cobra.Command {
	options := probeOptions{}
	var level slog.Level
	command := &cobra.Command{
		Use:   "probe",
		Short: "Find out whether this node can run the fast path: print it, or label the node",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
			if err := options.complete(); err != nil {
				return err
			}
			if !options.label && !options.nfd {
				return options.show(command.OutOrStdout())
			}
			publish, err := options.publish()
			if err != nil {
				return err
			}
			return probe.Run(command.Context(), options.config, probe.NewProber(), publish)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&options.print, "print", false, "print what was found (the default), once")
	flags.BoolVar(&options.label, "label", false, "label this node over the Kubernetes API")
	flags.BoolVar(&options.nfd, "nfd", false, "write a local feature file for Node Feature Discovery")
	command.MarkFlagsMutuallyExclusive("print", "label", "nfd")
	flags.StringVar(&options.output, "output", "table", "with --print: table or json")
	flags.DurationVar(&options.config.Interval, "interval", 0, "with --label or --nfd: time between probes; 0: once")
	flags.StringVar(&options.config.Need.Interface, "interface", xdp.Auto, "interface that the fast path would attach to; auto: the default route's")
	flags.StringVar(&options.hugepages, "hugepages", "64Mi", "memory in 2 MiB pages that the fast path requests")
	flags.StringVar(&options.minimum, "minimum-xdp", string(probe.ModeGeneric), "worst XDP mode that fits: native or generic")
	flags.StringVar(&options.config.Node, "node-name", "", "name of this node (default: the host name)")
	flags.StringVar(&options.apiServer, "api-server", "", "address of the Kubernetes API (default: that of the pod's cluster)")
	flags.StringVar(&options.serviceAccount, "service-account", probe.ServiceAccountDirectory, "folder with token and ca.crt for the Kubernetes API")
	flags.StringVar(&options.features, "features", probe.FeaturesDirectory, "folder of NFD's local features")
	flags.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	return command
}

// complete checks the flags and fills in what follows from them.
func (o *probeOptions) complete() (err error) {
	if o.output != "table" && o.output != "json" {
		return fmt.Errorf("unknown --output %q: use table or json", o.output)
	}
	o.config.Need.Minimum = probe.Mode(o.minimum)
	if o.minimum != string(probe.ModeNative) && o.minimum != string(probe.ModeGeneric) {
		return fmt.Errorf("unknown --minimum-xdp %q: use native or generic", o.minimum)
	}
	if o.config.Interval != 0 && (o.config.Interval < time.Second || !o.label && !o.nfd) {
		return fmt.Errorf("--interval %s: use 1s or more, with --label or --nfd", o.config.Interval)
	}
	if o.config.Need.Hugepages, err = probe.ParseBytes(o.hugepages); err != nil {
		return fmt.Errorf("--hugepages: %w", err)
	}
	o.config.Node, err = nodeName(o.config.Node)
	return err
}

// show prints the node's report.
func (o *probeOptions) show(output io.Writer) error {
	facts, err := probe.NewProber().Gather(o.config.Node, o.config.Need.Interface)
	if err != nil {
		return err
	}
	report := probe.NewReport(facts, o.config.Need)
	if o.output == "json" {
		return report.PrintJSON(output)
	}
	return report.PrintTable(output)
}

// publish is where the labels go.
func (o *probeOptions) publish() (probe.Publish, error) {
	if o.nfd {
		return probe.ToFeatures(o.features, o.config.Need, o.config.Interval), nil
	}
	client, err := probe.NewNodeClient(o.apiServer, o.serviceAccount, o.config.Node)
	return probe.ToNode(client, o.config.Need), err
}
