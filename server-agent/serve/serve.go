package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"goldm/internal/infowire"
	"goldm/internal/logs"
	"goldm/server-agent/info"
)

const (
	// slow is how long a client may take to ask, and to take the answer.
	slow = 5 * time.Second
	// maxHeader bounds a request's head, in bytes.
	maxHeader = 4 << 10
	// MaxConns bounds the connections at once of all listeners: more than the clients of a school
	// that switches on.
	MaxConns = 2048

	// connMemory is what a connection takes at most, in bytes, and rateMemory what is remembered of
	// an address.
	connMemory = 24 << 10
	rateMemory = 200

	// MaxMemory is what the ports take at most, in bytes.
	MaxMemory = MaxConns*connMemory + maxAddresses*rateMemory
)

// Config says what to serve.
type Config struct {
	Text, HTTP []net.Listener // closed at the end
	Info       func(context.Context) info.Info
	Log        *slog.Logger
}

// server is a running server.
type server struct {
	answers answers
	conns   *conns
	rate    *rate
	log     *slog.Logger
}

// Run serves until stop is done, or a listener fails.
func Run(stop context.Context, c Config) error { return run(stop, c, MaxConns) }

func run(stop context.Context, c Config, conns int) error {
	if len(c.Text)+len(c.HTTP) == 0 {
		return errors.New("nothing to listen on")
	}
	ctx, cancel := context.WithCancelCause(stop)
	defer cancel(nil)
	s := &server{
		answers: answers{ctx: ctx, get: c.Info, log: c.Log},
		conns:   newConns(conns, c.Log),
		rate:    newRate(),
		log:     c.Log,
	}
	web := s.web()
	var tasks sync.WaitGroup
	for _, l := range c.Text {
		tasks.Go(func() { cancel(s.serveText(ctx, s.conns.listener(l))) })
	}
	for _, l := range c.HTTP {
		tasks.Go(func() { cancel(web.Serve(s.conns.listener(l))) })
	}
	<-ctx.Done()
	web.Close()
	for _, l := range c.Text {
		l.Close()
	}
	s.conns.close()
	tasks.Wait()
	s.answers.work.Wait()
	if stop.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// web is the server of HTTP. A connection has one request.
func (s *server) web() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+infowire.Path, s.serveInfo)
	web := &http.Server{
		Handler:           http.MaxBytesHandler(mux, 0),
		ReadHeaderTimeout: slow,
		ReadTimeout:       slow,
		WriteTimeout:      2 * slow,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          logs.Std(s.log, slog.LevelDebug, "a client asks"),
	}
	web.SetKeepAlivesEnabled(false)
	return web
}

func (s *server) serveInfo(w http.ResponseWriter, r *http.Request) {
	if !s.rate.allow(r.RemoteAddr) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many questions from this address", http.StatusTooManyRequests)
		return
	}
	a := s.answers.current(r.Context())
	if a == nil {
		http.Error(w, "nothing is known yet", http.StatusServiceUnavailable)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(a.json)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.Write(a.json)
}

// serveText answers each connection at once, as ldminfod did, and closes it.
func (s *server) serveText(ctx context.Context, l net.Listener) error {
	var answering sync.WaitGroup
	defer answering.Wait()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		answering.Go(func() {
			defer conn.Close()
			if !s.rate.allow(conn.RemoteAddr().String()) {
				return
			}
			if a := s.answers.current(ctx); a != nil {
				conn.SetDeadline(time.Now().Add(slow))
				conn.Write(a.text)
			}
		})
	}
}
