package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
)

func printJSON(output io.Writer, message proto.Message) error {
	text, err := protojson.MarshalOptions{Multiline: true, EmitUnpopulated: true}.Marshal(message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(output, string(text))
	return err
}

func printStreams(output io.Writer, answer *ingestv1.ListStreamsResponse) error {
	if len(answer.Streams) == 0 {
		_, err := fmt.Fprintln(output, "no ingest ports: start the server with --ingest-ports")
		return err
	}
	table := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PORT\tMODE\tRECEIVED\tDELIVERED\tDROPPED\tPENDING\tSUBSCRIBERS\tREASON")
	for _, stream := range answer.Streams {
		now := stream.Counters
		fmt.Fprintf(table, "%d\t%s\t%d\t%d\t%s\t%d\t%d\t%s\n", stream.Port, word("INGEST_MODE_", stream.Mode),
			now.Received, now.Delivered, lossText(now.Dropped), now.Pending, stream.Subscribers, stream.Reason)
	}
	fmt.Fprintln(table, "\nQUEUE\tNUMA NODE\tPAGES\tSLOTS\tIN USE\tRING FULL\tNO SLOT\tREASON")
	for _, queue := range answer.Queues {
		node := "any"
		if queue.NumaNode != nil {
			node = strconv.Itoa(int(*queue.NumaNode))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d x %d\t%d\t%d\t%d\t%s\n", queue.Name, node, word("PAGE_KIND_", queue.PageKind),
			queue.Slots, queue.SlotBytes, queue.SlotsInUse, queue.RxRingFull, queue.FillRingEmpty, queue.Reason)
	}
	if len(answer.Subscriptions) > 0 {
		fmt.Fprintln(table, "\nCLIENT\tPORTS\tRECEIVED\tDELIVERED\tDROPPED\tPENDING")
	}
	for _, client := range answer.Subscriptions {
		now := client.Counters
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%d\n", client.Peer, strings.Trim(fmt.Sprint(client.Ports), "[]"),
			now.Received, now.Delivered, lossText(now.Dropped), now.Pending)
	}
	return table.Flush()
}

// word is the readable part of an enum value.
func word(prefix string, value fmt.Stringer) string {
	return strings.ToLower(strings.TrimPrefix(value.String(), prefix))
}

// lossText is "0", or the sum with its causes: "5 (slow_client 3, malformed 2)".
func lossText(losses []*ingestv1.Loss) string {
	var sum uint64
	var causes []string
	for _, loss := range losses {
		sum += loss.Datagrams
		causes = append(causes, fmt.Sprintf("%s %d", word("DROP_CAUSE_", loss.Cause), loss.Datagrams))
	}
	if sum == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(causes, ", "))
}

// tailPrinter writes datagrams to one stream, and losses to another where people read.
type tailPrinter struct {
	printed          int
	asJSON           bool
	output, messages io.Writer
	losses           map[uint32]string
}

func newTailPrinter(format string, output, messages io.Writer) *tailPrinter {
	return &tailPrinter{asJSON: format == outputJSON, output: output, messages: messages, losses: map[uint32]string{}}
}

// print writes a message, but no more than `limit` datagrams in all; 0: without limit.
func (p *tailPrinter) print(response *ingestv1.SubscribeResponse, limit int) error {
	for _, datagram := range response.Datagrams {
		if limit > 0 && p.printed == limit {
			break
		}
		p.printed++
		if err := p.datagram(datagram); err != nil {
			return err
		}
	}
	for _, loss := range response.Losses {
		if text := lossText(loss.Losses); text != p.losses[loss.Port] {
			p.losses[loss.Port] = text
			fmt.Fprintf(p.messages, "port %d lost %s\n", loss.Port, text)
		}
	}
	return nil
}

// line is a datagram as JSON; its payload is base64.
type line struct {
	Time     time.Time `json:"time"`
	Port     uint32    `json:"port"`
	Source   string    `json:"source"`
	Sequence uint64    `json:"sequence"`
	Payload  []byte    `json:"payload"`
}

func (p *tailPrinter) datagram(datagram *ingestv1.Datagram) error {
	address, _ := netip.AddrFromSlice(datagram.SourceAddress)
	entry := line{
		Time: time.Unix(0, int64(datagram.ReceiveTimeUnixNano)).UTC(), Port: datagram.Port, Sequence: datagram.Sequence,
		Source: netip.AddrPortFrom(address, uint16(datagram.SourcePort)).String(), Payload: datagram.Payload,
	}
	if p.asJSON {
		return json.NewEncoder(p.output).Encode(entry)
	}
	_, err := fmt.Fprintf(p.output, "%s  %d  %s  #%d  %d bytes  %q\n", entry.Time.Format("15:04:05.000000"), entry.Port,
		entry.Source, entry.Sequence, len(entry.Payload), entry.Payload)
	return err
}
