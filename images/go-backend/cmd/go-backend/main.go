// Command go-backend is the fast path's agent on a node.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		stop()
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:               "go-backend",
		Short:             "The fast path's agent on a node",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(command *cobra.Command, _ []string) error {
			return fromEnvironment(command.Flags(), os.LookupEnv)
		},
	}
	root.AddCommand(newServe(), newStatus(), newRules(), newTop(), newIngest(), newBench(), newProbe(), newHealth(), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(command *cobra.Command, _ []string) {
			fmt.Fprintln(command.OutOrStdout(), version)
		},
	}
}

// fromEnvironment sets each flag that was not given from GO_BACKEND_<FLAG>, if that is set and not empty.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var failure error
	flags.VisitAll(func(flag *pflag.Flag) {
		name := "GO_BACKEND_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		value, _ := lookup(name)
		if flag.Changed || value == "" || failure != nil {
			return
		}
		if err := flags.Set(flag.Name, value); err != nil {
			failure = fmt.Errorf("%s: %w", name, err)
		}
	})
	return failure
}
