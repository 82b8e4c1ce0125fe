package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"goldm/internal/failure"
	"goldm/ldm/wire"
	"goldm/session"
	"goldm/session/auth"
	"goldm/session/hostkeys"
	"goldm/session/internal/backoff"
	"goldm/session/servers"
)

// login logs in to the first server that can be reached, and tells ldm.
func (w *worker) login(ctx context.Context, login *wire.Login) (*session.Client, error) {
	if err := auth.CheckUser(login.User); err != nil {
		return nil, err
	}
	keys, err := hostkeys.Load(hostkeys.Config{Files: login.KnownHosts, Log: w.log})
	if err != nil {
		return nil, err
	}
	if len(login.Servers) == 0 {
		return nil, failure.New(nil, "No server is set up for this client. Ask the administrator to set LDM_SERVER.")
	}
	if login.Servers = w.trusted(login, keys); len(login.Servers) == 0 {
		return nil, failure.New(nil, "This client does not know that server's key. Choose another server, or ask the administrator.")
	}
	return w.firstOf(ctx, login, keys)
}

// trusted returns the servers without those that nobody but another server named, unless
// their keys are known exactly.
func (w *worker) trusted(login *wire.Login, keys *hostkeys.DB) []string {
	exactly := keys.Exactly()
	return slices.DeleteFunc(slices.Clone(login.Servers), func(server string) bool {
		if !slices.Contains(login.Found, server) {
			return false
		}
		address, err := session.Address(server)
		known := err == nil && exactly.Knows(address)
		if !known {
			w.log.Warn("a server that another one named is passed over: its key is not known", "server", server, "err", err)
		}
		return !known
	})
}

// firstOf logs in to the first server that can be reached, in an order that is drawn anew
// for each login. A busy one is passed
// over, and tried again where no other takes the login.
func (w *worker) firstOf(ctx context.Context, login *wire.Login, keys *hostkeys.DB) (*session.Client, error) {
	missed := make(map[string]error)
	pauses := backoff.New()
	order := servers.Order(login.Servers, login.Known, rand.Float64)
	for turn := order; ; {
		for _, server := range turn {
			found := slices.Contains(login.Found, server)
			trust := keys
			if found {
				trust = keys.Exactly()
			}
			client, err := w.dial(ctx, server, login, trust, connectWithin(missed))
			if err == nil {
				return client, w.admit(ctx, client, login, server)
			}
			// One that is not what another server takes it for keeps nobody from the others.
			passed := errors.Is(err, session.ErrUnreachable) || found && hostkeys.IsRefusal(err)
			if !passed || ctx.Err() != nil {
				return nil, err
			}
			w.log.Warn("server not reached", "server", server, "err", err)
			missed[server] = err
		}
		var patience time.Duration
		turn, patience = busy(order, missed)
		if len(turn) == 0 {
			return nil, noneOf(order, missed)
		}
		w.progress(session.Busy(turn[0]))
		if !pauses.Wait(ctx, patience) {
			return nil, noneOf(order, missed)
		}
	}
}

// busy picks the servers that it is worth while to try again, and says how long.
func busy(servers []string, missed map[string]error) (again []string, patience time.Duration) {
	for _, server := range servers {
		if worth := session.Patience(missed[server]); worth > 0 {
			again = append(again, server)
			patience = max(patience, worth)
		}
	}
	return again, patience
}

// noneOf says that no server took the login.
func noneOf(servers []string, missed map[string]error) error {
	if len(servers) == 1 {
		return missed[servers[0]]
	}
	causes := slices.Collect(maps.Values(missed))
	if again, _ := busy(servers, missed); len(again) == len(servers) {
		return failure.New(errors.Join(causes...), "All servers are busy. Try again in a moment.")
	}
	return failure.New(errors.Join(causes...),
		"None of the servers can be reached. Check the network cable and try again, or ask the administrator.")
}

// nextConnect is how long a server may take to accept a connection where another one could not be
// reached: it is three tries of TCP's. With the cable out that says so of seven servers in half a minute.
const nextConnect = 4 * time.Second

// connectWithin is the limit of the next connection; 0 for the usual one.
func connectWithin(missed map[string]error) time.Duration {
	if len(missed) == 0 {
		return 0
	}
	return nextConnect
}

func (w *worker) dial(ctx context.Context, server string, login *wire.Login, keys *hostkeys.DB, connect time.Duration) (*session.Client, error) {
	host, port, err := session.ParseServer(server)
	if err != nil {
		return nil, err
	}
	return session.Dial(ctx, session.Config{
		User:     login.User,
		Host:     host,
		Port:     port,
		HostKeys: keys,
		X11:      true,
		Way:      login.X11,
		OneTry:   true,
		Prompter: w,
		Progress: w.progress,
		Limits:   session.Limits{Connect: connect},
		Log:      w.log,
	})
}

func (w *worker) authenticated(client *session.Client, server string) error {
	w.log.Info("authenticated", "server", server)
	if err := w.conn.Send(&wire.Authenticated{Server: server}); err != nil {
		client.Close()
		return fmt.Errorf("tell ldm: %w", err)
	}
	return nil
}

// progress tells the person what the login waits for. Nothing depends on it.
func (w *worker) progress(text string) {
	if err := w.conn.Send(&wire.Progress{Text: cut(text)}); err != nil {
		w.log.Debug("progress not told", "err", err)
	}
}
