package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"goldm/internal/infowire"
	"goldm/ldm/wire"
	"goldm/session"
)

const (
	// infoPatience is how long an agent may take to answer.
	infoPatience = 3 * time.Second
	// maxHeader bounds the head of its answer, in bytes.
	maxHeader = 8 << 10
)

// askInfo asks the agent of a server how loaded that is, and which others there are.
func askInfo(ctx context.Context, server string) (seen wire.Server, others []string, err error) {
	host, _, err := session.ParseServer(server) // whose port is sshd's
	if err != nil {
		return wire.Server{}, nil, err
	}
	return getInfo(ctx, net.JoinHostPort(host, strconv.Itoa(infowire.Port)))
}

// getInfo asks the agent at an address. Anybody may answer there: what comes is bounded,
// is taken from nowhere else, and is nothing but numbers afterwards.
func getInfo(ctx context.Context, address string) (seen wire.Server, others []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, infoPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+infowire.Path, nil)
	if err != nil {
		return wire.Server{}, nil, err
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	response, err := client.Do(request)
	if err != nil {
		return wire.Server{}, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return wire.Server{}, nil, fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, infowire.MaxSize+1))
	if err != nil {
		return wire.Server{}, nil, err
	}
	return parseInfo(body)
}

// parseInfo makes of an answer what a login goes by.
func parseInfo(body []byte) (seen wire.Server, others []string, err error) {
	info, err := infowire.Decode(body)
	if err != nil {
		return wire.Server{}, nil, err
	}
	seen.Drained = info.Drained
	if info.Rating != infowire.Unknown {
		seen.Rating = max(info.Rating, 1) // 0 is what is not known
	}
	if info.Load != nil {
		seen.CPUs = max(info.Load.CPUs, 0)
	}
	return seen, info.Servers, nil
}
