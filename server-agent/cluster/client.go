package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
)

const (
	// patience bounds one try of a call. It is some election timeouts of etcd's
	// default, a second.
	patience = 2 * time.Second

	// limit bounds all tries of a call, each of which goes to another member: one that
	// hangs does not show until the connection's own pings get no answer.
	limit = 2*patience + 2*pause

	pause = 100 * time.Millisecond // between tries

	// libraryTries leaves trying again to do.
	libraryTries = 1

	// ping and pong find a connection whose other end hangs. etcd turns clients
	// away that ping more often than every 5 seconds.
	ping = 6 * time.Second
	pong = 3 * time.Second

	maxAnswer = 8 << 20 // bytes; a page of what may be there has 5 MB
)

// redial tries again soon: the library's own pause grows to two minutes.
var redial = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: pong},
	MinConnectTimeout: patience,
}

// connect prepares a client; nothing is sent yet.
func connect(endpoints []string, security *tls.Config) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		TLS:                  security,
		DialTimeout:          patience,
		DialKeepAliveTime:    ping,
		DialKeepAliveTimeout: pong,
		MaxCallRecvMsgSize:   maxAnswer,
		MaxUnaryRetries:      libraryTries,
		DialOptions:          []grpc.DialOption{grpc.WithConnectParams(redial), grpc.WithChainUnaryInterceptor(saySo)},
		Logger:               zap.NewNop(), // it would write JSON on our standard error
	})
}

// saySo lets a call fail that has no connection, with the reason: the library would wait for one, and
// then know only that time is up.
func saySo(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	return invoke(ctx, method, request, reply, conn, append(options, grpc.WaitForReady(false))...)
}

// TLS returns what to trust and to show: the files of the authorities, and
// of our certificate and its key. Each may be empty. The certificate is read anew for each
// connection, so that a renewed one counts.
func TLS(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s: no certificate in it", ca)
		}
	}
	if cert == "" {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}

// do makes a call that may be made twice: again and again where it fails for reasons that may
// pass, such as the election of a leader, for limit at most.
func do[T any](ctx context.Context, call func(ctx context.Context) (T, error)) (T, error) {
	var reason error // the last one that says more than that there was no answer
	for end := time.Now().Add(limit); ; {
		try, cancel := context.WithTimeout(ctx, patience)
		answer, err := call(try)
		late := try.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || isFinal(err) {
			return answer, err
		}
		if !late {
			reason = err
		}
		if reason == nil {
			reason = fmt.Errorf("no answer within %v: %w", patience, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if time.Now().Add(patience).After(end) {
			return answer, reason
		}
	}
}

// isFinal tells whether an error will be the same the next time.
func isFinal(err error) bool {
	var said rpctypes.EtcdError
	return errors.Is(err, errLost) || errors.As(err, &said) && said.Code() != codes.Unavailable && said.Code() != codes.DeadlineExceeded
}

// commit is do for a transaction that did not go another way.
func commit(ctx context.Context, build func(ctx context.Context) clientv3.Txn) (*clientv3.TxnResponse, error) {
	return do(ctx, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		answer, err := build(ctx).Commit()
		if err == nil && answer == nil {
			err = errors.New("an empty answer")
		}
		return answer, err
	})
}
