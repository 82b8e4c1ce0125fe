package x11

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"goldm/internal/peer"
	"goldm/internal/x11"
	"goldm/internal/xauth"
)

const (
	// setupTime is how long a client may take to show its cookie. Xlib sends it at once; the rest
	// is the network's.
	setupTime = 10 * time.Second

	// maxAuth bounds the name and the data of a client's authorization, in bytes.
	maxAuth = 256

	// bufferSize is that of each direction's buffer, in bytes. It holds any
	// reply to ListExtensions, and two packets of SSH.
	bufferSize = 64 << 10
)

// client is one forwarded X client.
type client struct {
	forwarder *Forwarder
	channel   io.ReadWriteCloser // to the client; a *socket where it is of this machine
	server    net.Conn           // to the X server; a *socket too then
	cancel    context.CancelFunc
	told      map[string]bool // the rules that it broke and the log has

	place    *peer.Place[struct{}] // until it has shown the cookie
	admitted bool                  // under the forwarder's lock
}

// serve carries the client until it has ended. The error is nil where it ended
// in order, or because it was to.
func (c *client) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.channel.Close() })
	defer stop()
	setup, err := c.greet()
	local, isLocal := c.channel.(*socket)
	if isLocal {
		defer local.drop()
	}
	if err == nil && isLocal && len(local.queue) > 0 {
		err = errStray
	}
	if err == nil {
		if err = c.forwarder.admit(c); err != nil {
			c.refuse(setup.Order, err.Error(), err)
		}
	}
	if err != nil {
		c.complain(ctx, err)
		return nil
	}
	policy, err := c.connect(ctx, setup)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return c.refuse(setup.Order, "the display cannot be reached", err)
	}
	return c.carry(ctx, setup.Order, policy)
}

// greet reads the client's setup and checks its cookie.
func (c *client) greet() (x11.SetupRequest, error) {
	slow := time.AfterFunc(setupTime, func() { c.channel.Close() })
	setup, err := x11.ReadSetupRequest(c.channel, maxAuth)
	if !slow.Stop() {
		return setup, errSlow
	}
	var bad *x11.BadSetup
	switch {
	case errors.As(err, &bad) && setup.Order.Valid():
		return setup, c.refuse(setup.Order, "the authorization is malformed", err)
	case errors.Is(err, io.EOF):
		return setup, errors.New("X11 setup: closed by the client")
	case err != nil:
		return setup, err
	}
	known := subtle.ConstantTimeCompare(setup.AuthData, c.forwarder.cookie) == 1
	if setup.AuthName != xauth.MITMagicCookie || !known {
		return setup, c.refuse(setup.Order, "the cookie is not this session's", errCookie)
	}
	return setup, nil
}

var (
	errCookie = errors.New("X11 setup: wrong cookie")
	errSlow   = fmt.Errorf("X11 setup took more than %v", setupTime)
)

// complain logs why a client did not come in. Whose it is only sshd knows, and does not tell.
func (c *client) complain(ctx context.Context, err error) {
	rule := "X11's setup"
	switch {
	case context.Cause(ctx) == errYielded, errors.Is(err, errYielded):
		rule, err = "places without the cookie", errYielded
	case ctx.Err() != nil:
		return
	case errors.Is(err, errSlow):
		rule = "time to show the cookie"
	case errors.Is(err, errCookie):
		rule = "the session's cookie"
	}
	c.forwarder.refusals.Add(rule, "program", "a client of the forwarded display", "error", err)
}

// refuse tells the client why it is refused and returns cause.
func (c *client) refuse(o x11.Order, reason string, cause error) error {
	// Xlib prints the reason as a line of its own.
	_, err := c.channel.Write(x11.AppendSetupRefusal(nil, o, "goldm: "+reason+"\n"))
	if err == nil {
		closeWrite(c.channel)
	}
	return cause
}

// connect connects to the X server and sends it the client's setup with the
// true cookie.
func (c *client) connect(ctx context.Context, setup x11.SetupRequest) (*policy, error) {
	policy, err := c.forwarder.probe.policy(ctx)
	if err != nil {
		return nil, err
	}
	display := c.forwarder.display
	if c.server, err = display.Dial(ctx); err != nil {
		return nil, err
	}
	if _, ok := c.channel.(*socket); ok {
		unix, ok := c.server.(*net.UnixConn)
		if !ok {
			c.server.Close()
			return nil, errors.New("the X server has no Unix socket")
		}
		c.server = newSocket(unix, maxFromServer)
	}
	setup.AuthName, setup.AuthData = display.AuthName, display.AuthData
	if _, err := c.server.Write(setup.Append(nil)); err != nil {
		c.server.Close()
		return nil, err
	}
	return policy, nil
}

// carry carries both directions until both have ended.
func (c *client) carry(ctx context.Context, order x11.Order, policy *policy) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		c.channel.Close()
		c.server.Close()
	})
	defer stop()
	defer c.server.Close()

	in, out := c.ways(order, policy)
	var requestsErr error
	var sending sync.WaitGroup
	sending.Go(func() {
		requestsErr = c.carryRequests(ctx, in)
		if requestsErr != nil {
			cancel()
			return
		}
		closeWrite(c.server) // the server answers what it has, and closes
	})
	answersErr := c.carryAnswers(out)
	closeWrite(c.channel)
	cancel() // a client whose server has gone has nothing more to say
	sending.Wait()
	if s, ok := c.server.(*socket); ok {
		s.drop()
	}
	return cmp.Or(requestsErr, answersErr)
}

// ways returns what follows each direction.
func (c *client) ways(order x11.Order, policy *policy) (*requests, *answers) {
	pending := newPending()
	in := &requests{order: order, policy: policy, pending: pending, report: c.report}
	out := &answers{order: order, list: policy.list, pending: pending}
	if s, ok := c.channel.(*socket); ok {
		in.came, in.ids = &s.descriptors, new(ids)
		out.came, out.ids = &c.server.(*socket).descriptors, in.ids
	}
	return in, out
}

// report logs that a request was refused, once for each rule.
func (c *client) report(request x11.Request, rule string) {
	if c.told[rule] {
		return
	}
	if c.told == nil {
		c.told = make(map[string]bool)
	}
	c.told[rule] = true
	level := slog.LevelWarn
	if rule == ruleNumber { // no attack
		level = slog.LevelInfo
	}
	c.forwarder.log.Log(context.Background(), level, "request of an X client refused", "rule", rule, "major", request.Major, "minor", request.Minor)
}

// closeWrite tells the other side that nothing more comes, if w can.
func closeWrite(w io.Writer) {
	if half, ok := w.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
