package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// TLSFiles are PEM files, read again when they change. All empty: plain text.
type TLSFiles struct {
	Cert, Key string
	// ClientCA makes clients show a certificate of this authority.
	ClientCA string
}

func (f TLSFiles) credentials() (credentials.TransportCredentials, error) {
	if f == (TLSFiles{}) {
		return insecure.NewCredentials(), nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("--tls-cert and --tls-key belong together, and --tls-client-ca needs both")
	}
	rotating := &rotatingTLS{files: f}
	if err := rotating.reload(rotating.stamps()); err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return rotating.current(), nil },
	}), nil
}

// rotatingTLS looks for changed files at every handshake.
type rotatingTLS struct {
	files TLSFiles

	mutex  sync.Mutex
	seen   [3]time.Time
	config *tls.Config
}

// current keeps the old certificates where the new ones cannot be used.
func (r *rotatingTLS) current() *tls.Config {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if stamps := r.stamps(); stamps != r.seen {
		if err := r.reload(stamps); err != nil {
			slog.Error("the changed TLS files cannot be used, the old certificate stays", "error", err)
		} else {
			slog.Info("TLS files read again")
		}
	}
	return r.config
}

func (r *rotatingTLS) stamps() [3]time.Time {
	var stamps [3]time.Time
	for i, file := range []string{r.files.Cert, r.files.Key, r.files.ClientCA} {
		if info, err := os.Stat(file); err == nil {
			stamps[i] = info.ModTime()
		}
	}
	return stamps
}

func (r *rotatingTLS) reload(stamps [3]time.Time) error {
	// A file that is half written is tried again only when it changes again: it will.
	r.seen = stamps
	certificate, err := tls.LoadX509KeyPair(r.files.Cert, r.files.Key)
	if err != nil {
		return fmt.Errorf("--tls-cert %s, --tls-key %s: %w", r.files.Cert, r.files.Key, err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{certificate},
	}
	if r.files.ClientCA != "" {
		if config.ClientCAs, err = authorities(r.files.ClientCA); err != nil {
			return fmt.Errorf("--tls-client-ca %s: %w", r.files.ClientCA, err)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	r.config = config
	return nil
}

func authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return pool, nil
}
