package session

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/session/x11"
	"goldm/session/xproxy"
)

// introduceWithin is how long the accelerator on the server may take to start; the user's
// shell reads its own files first.
const introduceWithin = 10 * time.Second

// farHalf starts the accelerator's far half in the user's shell, whatever that is.
const farHalf = `exec /bin/sh -c 'PATH=$PATH:/usr/local/bin:/usr/bin:/usr/sbin; exec ltsp-server-agent x11'`

// watchFrom is the round trip from which it pays to watch the X server: that costs each answer of
// its a tenth of a millisecond.
const watchFrom = 3 * time.Millisecond

// roundTrip measures the time to the server's SSH and back; zero where it does not answer.
func (c *Client) roundTrip() time.Duration {
	began := time.Now()
	if _, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		return 0
	}
	return time.Since(began)
}

// Accelerate shows a display to the user's programs on the server by the accelerator, until
// the connection is closed, and returns what leads there: variables for their
// environment. The near half gives them to a Forwarder, whose policy holds here too.
// It fails where the server has no ltsp-server-agent.
func (c *Client) Accelerate(ctx context.Context, display *x11.Display) (map[string]string, error) {
	forwarder, err := x11.NewForwarder(x11.Config{Display: display, Log: c.log})
	if err != nil {
		return nil, err
	}
	if !c.keepForwarder(forwarder) {
		return nil, errClosed
	}
	channel, place, err := c.meetFarHalf(ctx, forwarder)
	if err != nil {
		return nil, err
	}
	config := xproxy.NearConfig{Serve: forwarder.Serve, Log: c.log}
	if c.roundTrip() >= watchFrom {
		config.Dial = func(ctx context.Context) (io.ReadWriteCloser, error) { return display.Dial(ctx) }
		config.AuthName, config.AuthData = display.AuthName, display.AuthData
	}
	near := func() {
		if err := xproxy.Near(c.ctx, channel, config); err != nil {
			c.log.Warn("the accelerated display has ended", "err", err)
		}
	}
	if !c.task(near) {
		channel.Close()
		return nil, errClosed
	}
	return map[string]string{
		"DISPLAY":    fmt.Sprintf("%s.%d", place.Display, display.Screen),
		"XAUTHORITY": place.Authority,
	}, nil
}

// meetFarHalf starts the far half, which takes programs that have the forwarder's cookie.
func (c *Client) meetFarHalf(ctx context.Context, forwarder *x11.Forwarder) (ssh.Channel, xproxy.Place, error) {
	ctx, cancel := context.WithTimeout(ctx, introduceWithin)
	defer cancel()
	var offer xproxy.Offer
	var err error
	_, cookie, _ := forwarder.Request()
	if offer.Cookie, err = hex.DecodeString(cookie); err != nil {
		return nil, xproxy.Place{}, err
	}
	channel, err := c.channel(ctx, "exec", farHalf)
	if err != nil {
		return nil, xproxy.Place{}, err
	}
	stop := context.AfterFunc(ctx, func() { channel.Close() })
	place, err := xproxy.Introduce(channel, offer)
	if !stop() {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err != nil {
		channel.Close()
		return nil, xproxy.Place{}, err
	}
	return channel, place, nil
}

// keepForwarder has a forwarder closed with the connection; false where that is closed.
func (c *Client) keepForwarder(f *x11.Forwarder) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.forwarders = append(c.forwarders, f)
	}
	return !c.closed
}
