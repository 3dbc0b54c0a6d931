package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
)

const (
	outputTable = "table"
	outputJSON  = "json"
)

// client is how the commands that ask a server reach it, and how they print.
type client struct {
	address, output string
	timeout         time.Duration
	ca, cert, key   string
}

func (c *client) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.output, "output", outputTable, "table or json")
	c.registerConnection(flags, 5*time.Second)
}

func (c *client) registerConnection(flags *pflag.FlagSet, timeout time.Duration) {
	flags.StringVar(&c.address, "grpc-address", ":50051", "address the server listens on")
	flags.DurationVar(&c.timeout, "timeout", timeout, "how long to wait for the server")
	flags.StringVar(&c.ca, "tls-ca", "", "PEM file of the authority of the server's certificate; empty: plain text")
	flags.StringVar(&c.cert, "tls-client-cert", "", "PEM file of the certificate to show to the server")
	flags.StringVar(&c.key, "tls-client-key", "", "PEM file of its key")
}

// dial checks the flags that every command has. The caller closes the connection.
func (c *client) dial() (*grpc.ClientConn, error) {
	if c.output != "" && c.output != outputTable && c.output != outputJSON {
		return nil, fmt.Errorf("unknown output %q: use table or json", c.output)
	}
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return nil, fmt.Errorf("--grpc-address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	return grpc.NewClient(net.JoinHostPort(host, port), grpc.WithTransportCredentials(transport), grpc.WithNoProxy())
}

func (c *client) transport() (credentials.TransportCredentials, error) {
	if c.ca == "" {
		if c.cert != "" || c.key != "" {
			return nil, errors.New("--tls-client-cert and --tls-client-key need --tls-ca")
		}
		return insecure.NewCredentials(), nil
	}
	text, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--tls-ca: %s holds no certificate in PEM", c.ca)
	}
	if c.cert != "" || c.key != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("--tls-client-cert, --tls-client-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

// explain turns an error of a call to a part of the server into one line.
func (c *client) explain(part string, err error) error {
	status := grpcstatus.Convert(err)
	switch status.Code() {
	case codes.Unavailable, codes.DeadlineExceeded:
		return fmt.Errorf("%s does not answer: %s", c.address, status.Message())
	case codes.Unimplemented:
		return fmt.Errorf("%s has no %s: it runs another version", c.address, part)
	}
	return errors.New(status.Message())
}
