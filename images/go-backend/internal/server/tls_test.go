package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// authority signs certificates for one test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	made := &authority{}
	made.certificate, made.key = made.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	})
	return made
}

func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if a.certificate != nil {
		parent, signer = a.certificate, a.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

// issue makes a certificate for localhost with a serial number.
func (a *authority) issue(t *testing.T, serial int64) (certificate, key []byte) {
	t.Helper()
	signed, private := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", signed.Raw), encode("PRIVATE KEY", raw)
}

func encode(kind string, raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

// files writes them with a time of their own, so that a change is seen at once.
func writeFiles(t *testing.T, files map[string][]byte, age time.Duration) {
	t.Helper()
	for file, text := range files {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
}

// handshake returns the serial number that the server shows.
func handshake(address string, trusted *authority, own ...tls.Certificate) (int64, error) {
	pool := x509.NewCertPool()
	pool.AddCert(trusted.certificate)
	var serial int64
	config := &tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: own}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		serial = state.PeerCertificates[0].SerialNumber.Int64()
		return nil
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = healthv1.NewHealthClient(connection).Check(ctx, &healthv1.HealthCheckRequest{})
	return serial, err
}

func TestMutualTLSWithRotation(t *testing.T) {
	directory := t.TempDir()
	files := TLSFiles{
		Cert: filepath.Join(directory, "tls.crt"), Key: filepath.Join(directory, "tls.key"), ClientCA: filepath.Join(directory, "ca.crt"),
	}
	trusted, stranger := newAuthority(t), newAuthority(t)
	put := func(serial int64, age time.Duration) {
		certificate, key := trusted.issue(t, serial)
		writeFiles(t, map[string][]byte{
			files.Cert: certificate, files.Key: key, files.ClientCA: encode("CERTIFICATE", trusted.certificate.Raw),
		}, age)
	}
	put(10, 3*time.Second)
	offered, err := files.credentials()
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(offered))
	healthv1.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	address := listener.Addr().String()

	client := func(from *authority) tls.Certificate {
		certificate, key := from.issue(t, 99)
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	if serial, err := handshake(address, trusted, client(trusted)); err != nil || serial != 10 {
		t.Fatalf("certificate %d, %v", serial, err)
	}
	if _, err := handshake(address, trusted); err == nil {
		t.Error("a client without certificate was let in")
	}
	if _, err := handshake(address, trusted, client(stranger)); err == nil {
		t.Error("a client of another authority was let in")
	}
	put(11, 2*time.Second)
	if serial, err := handshake(address, trusted, client(trusted)); err != nil || serial != 11 {
		t.Errorf("after rotation certificate %d, %v", serial, err)
	}
	writeFiles(t, map[string][]byte{files.Cert: []byte("half")}, time.Second)
	if serial, err := handshake(address, trusted, client(trusted)); err != nil || serial != 11 {
		t.Errorf("with a broken file certificate %d, %v", serial, err)
	}
}

func TestTLSConfigurationErrorsNameTheFlag(t *testing.T) {
	for want, files := range map[string]TLSFiles{
		"--tls-cert and --tls-key belong together": {Cert: "a"},
		"--tls-client-ca needs both":               {ClientCA: "a"},
		"--tls-cert missing":                       {Cert: "missing", Key: "missing"},
	} {
		if _, err := files.credentials(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
