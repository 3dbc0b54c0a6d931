package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
)

func newRules() *cobra.Command {
	command := &cobra.Command{Use: "rules", Short: "List the guard's rules, or apply others", Args: cobra.NoArgs}
	command.AddCommand(newRulesList(), newRulesApply())
	return command
}

func newRulesList() *cobra.Command {
	client, request := client{}, &guardv1.ListRulesRequest{}
	command := &cobra.Command{
		Use:   "list [id...]",
		Short: "List the rules in force with their hits",
		RunE: func(command *cobra.Command, ids []string) error {
			request.Ids = ids
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			return listRules(ctx, &client, request, command.OutOrStdout())
		},
	}
	client.register(command.Flags())
	command.Flags().StringVar(&request.Owner, "owner", "", "only rules of this owner")
	return command
}

func listRules(ctx context.Context, client *client, request *guardv1.ListRulesRequest, output io.Writer) error {
	connection, err := client.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	stream, err := guardv1.NewGuardServiceClient(connection).ListRules(ctx, request)
	if err != nil {
		return client.explain("guard", err)
	}
	all := &guardv1.ListRulesResponse{}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return client.explain("guard", err)
		}
		all.Revision = part.Revision
		all.Rules = append(all.Rules, part.Rules...)
	}
	if client.output == outputJSON {
		return printJSON(output, all)
	}
	return printRules(output, all)
}

func printRules(output io.Writer, all *guardv1.ListRulesResponse) error {
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tACTION\tPREFIX\tMATCH\tPACKETS\tBYTES\tOVER LIMIT\tENDS\tOWNER\tCOMMENT")
	for _, state := range all.Rules {
		rule, ends := state.Rule, "never"
		if rule.ExpiresAt != nil {
			ends = rule.ExpiresAt.AsTime().Format(time.RFC3339)
		}
		action := word("ACTION_", rule.Action)
		if rule.CountOnly {
			action += " (count only)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", rule.Id, action, rule.Prefix, matchText(rule),
			state.Packets, state.Bytes, state.OverLimitPackets, ends, rule.Owner, rule.Comment)
	}
	return table.Flush()
}

var protocolNames = map[uint32]string{0: "any", 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}

func matchText(rule *guardv1.Rule) string {
	name, known := protocolNames[rule.Protocol]
	if !known {
		name = strconv.Itoa(int(rule.Protocol))
	}
	ranges := make([]string, len(rule.Ports))
	for i, ports := range rule.Ports {
		ranges[i] = strconv.Itoa(int(ports.First))
		if ports.Last != ports.First {
			ranges[i] += "-" + strconv.Itoa(int(ports.Last))
		}
	}
	return strings.TrimSuffix(name+"/"+strings.Join(ranges, ","), "/")
}

func newRulesApply() *cobra.Command {
	client := client{}
	var file string
	command := &cobra.Command{
		Use:   "apply -f file",
		Short: "Replace all rules by those of a file",
		Long: `Replace all rules by those of a YAML or JSON file ("-": standard input). The fields are those of guard.v1:

  revision: 7                    # default: the number after the current one
  policy: {defaultAction: pass}  # or drop; sourceLimit: {packetsPerSecond: 1000}
  rules:
  - {id: spammer, prefix: 203.0.113.0/24, action: deny, protocol: 6, ports: [{first: 25}]}

Where the platform's backend pushes revisions, its next one replaces these rules.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), client.timeout)
			defer cancel()
			return applyRules(ctx, &client, file, command.InOrStdin(), command.OutOrStdout())
		},
	}
	client.register(command.Flags())
	command.Flags().StringVarP(&file, "file", "f", "", "the rules")
	return command
}

func applyRules(ctx context.Context, client *client, file string, input io.Reader, output io.Writer) error {
	text, err := readInput(file, input)
	if err != nil {
		return err
	}
	header, rules, err := parseRules(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	connection, err := client.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	service := guardv1.NewGuardServiceClient(connection)
	if header.Revision == 0 {
		current, err := service.GetRevision(ctx, &guardv1.GetRevisionRequest{})
		if err != nil {
			return client.explain("guard", err)
		}
		header.Revision = current.Revision + 1
	}
	answer, err := sendRevision(ctx, service, header, rules)
	if err != nil {
		return client.explain("guard", err)
	}
	if client.output == outputJSON {
		return printJSON(output, answer)
	}
	return printApplied(output, answer)
}

func readInput(file string, input io.Reader) ([]byte, error) {
	switch file {
	case "":
		return nil, errors.New("no rules: set --file, \"-\" for standard input")
	case "-":
		return io.ReadAll(input)
	}
	return os.ReadFile(file)
}

const sendBatch = 1000

func sendRevision(ctx context.Context, service guardv1.GuardServiceClient, header *guardv1.RevisionHeader, rules []*guardv1.Rule,
) (*guardv1.ApplyRevisionResponse, error) {
	stream, err := service.ApplyRevision(ctx)
	if err != nil {
		return nil, err
	}
	// A send fails when the server has already answered: the answer below says why.
	sendErr := stream.Send(&guardv1.ApplyRevisionRequest{Part: &guardv1.ApplyRevisionRequest_Header{Header: header}})
	for len(rules) > 0 && sendErr == nil {
		batch := rules[:min(sendBatch, len(rules))]
		rules = rules[len(batch):]
		sendErr = stream.Send(&guardv1.ApplyRevisionRequest{Part: &guardv1.ApplyRevisionRequest_Rules{
			Rules: &guardv1.RuleBatch{Upserts: batch},
		}})
	}
	return stream.CloseAndRecv()
}

func printApplied(output io.Writer, answer *guardv1.ApplyRevisionResponse) error {
	enforcing := "enforcing"
	if !answer.Enforcement.GetEnforcing() {
		enforcing = "not enforcing: " + answer.Enforcement.GetReason()
	}
	fmt.Fprintf(output, "revision %d: %d rules, %d entries changed in %s, %s\n", answer.Revision, answer.Rules,
		answer.ChangedEntries, answer.Duration.AsDuration().Round(time.Microsecond), enforcing)
	if len(answer.ShadowedRuleIds) > 0 {
		fmt.Fprintf(output, "never decide, because another rule comes first: %s\n", strings.Join(answer.ShadowedRuleIds, ", "))
	}
	return nil
}
