package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/internal/via"
	"goldm/session/auth"
	"goldm/session/hostkeys"
	"goldm/session/internal/backoff"
	"goldm/session/prompt"
	"goldm/session/stall"
)

// Config describes a login.
type Config struct {
	User string
	Host string
	Port int // 0 means DefaultPort

	HostKeys *hostkeys.DB
	Prompter prompt.Prompter

	// Keys returns the keys to offer; nil for none. It is called at most once.
	Keys func(context.Context) ([]ssh.Signer, error)

	// X11 says that the session needs it: a server that forwards none is asked why
	// at once.
	X11 bool

	// Way is how the session's display is reached. Where there are others than Forwarded
	// a server that forwards none is not refused before they are tried.
	Way via.Way

	// OneTry ends a Dial where the server is busy, for who knows another one. Else
	// it tries again while Patience allows.
	OneTry bool

	// Tries is how many wrong answers are allowed on one connection; 0 means 1.
	Tries int

	// Progress is told what the login waits for, a few words for the person; may be nil.
	Progress func(text string)

	// LongLink is the round trip from which via.Auto means the accelerator; 0 for DefaultLongLink.
	LongLink time.Duration

	Limits Limits
	Log    *slog.Logger // nil for none
}

// DefaultLongLink is where the accelerator begins to pay: it costs a third of a millisecond for
// each answer that it does not give itself.
const DefaultLongLink = 3 * time.Millisecond

// Limits bound what a server may make a client wait for, and keep. Zero fields have the
// values of DefaultLimits.
type Limits struct {
	Connect   time.Duration // of the TCP connection
	Handshake time.Duration // from then until authentication begins
	Hold      time.Duration // of a connection whose first question the person thinks about
	Busy      time.Duration // of the tries to reach a server that is busy
	Turn      time.Duration // of a server's answer, to a step of the authentication or to a command's start
	Ping      time.Duration // between keepalives
	Dead      time.Duration // silence after which the connection is dead, and data unacknowledged; noticed within Dead + Ping

	// What the channels that the server opens may hold of what this side does not take, and how much of the heap may be
	// in use meanwhile, in bytes. See package stall.
	Stalled int
	Heap    uint64
}

// DefaultLimits are meant for people who wait. A turn is longer than sshd's LoginGraceTime
// (two minutes), since PAM may wait for a telephone to be touched.
func DefaultLimits() Limits {
	return Limits{
		Connect:   10 * time.Second,
		Handshake: 20 * time.Second,
		Hold:      time.Minute,     // or less; see hold
		Busy:      2 * time.Minute, // or less; see Patience
		Turn:      150 * time.Second,
		Ping:      7 * time.Second,
		Dead:      21 * time.Second,
		Stalled:   stall.StalledLimit,
		Heap:      stall.HeapLimit,
	}
}

func (c *Config) setDefaults() {
	if c.Port == 0 {
		c.Port = DefaultPort
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.LongLink = cmp.Or(c.LongLink, DefaultLongLink)
	c.Log = c.Log.With("server", name(c.Host, c.Port))
	d := DefaultLimits()
	c.Limits = Limits{
		Connect:   cmp.Or(c.Limits.Connect, d.Connect),
		Handshake: cmp.Or(c.Limits.Handshake, d.Handshake),
		Hold:      cmp.Or(c.Limits.Hold, d.Hold),
		Busy:      cmp.Or(c.Limits.Busy, d.Busy),
		Turn:      cmp.Or(c.Limits.Turn, d.Turn),
		Ping:      cmp.Or(c.Limits.Ping, d.Ping),
		Dead:      cmp.Or(c.Limits.Dead, d.Dead),
		Stalled:   cmp.Or(c.Limits.Stalled, d.Stalled),
		Heap:      cmp.Or(c.Limits.Heap, d.Heap),
	}
}

// maxDials bounds the connections of a login, of which each takes an answer.
const maxDials = 10

// Dial connects and logs in. The end of ctx ends a Dial that is under way, at any
// moment, and has no effect afterwards.
//
// One login may take several connections: a busy server is tried again, one that
// does not wait for an answer is called again when the answer is there, and one that
// wants a new password is called again with that.
func Dial(ctx context.Context, config Config) (*Client, error) {
	if err := auth.CheckUser(config.User); err != nil {
		return nil, err
	}
	d := newDialler(config)
	d.Progress(fmt.Sprintf("Connecting to %s…", d.name()))
	for range maxDials {
		client, err := d.untilNotBusy(ctx)
		if err == nil {
			err = d.inspect(ctx, client)
		}
		if err == nil {
			return client, nil
		}
		if !errors.Is(err, errAgain) {
			return nil, err
		}
		d.Log.Info("connecting again", "why", err)
	}
	return nil, failure.New(errAgain, "The server %s breaks the login off again and again. Ask the administrator.", d.name())
}

// dialler is a login that is under way.
type dialler struct {
	Config
	person  *conversation
	signers []ssh.Signer // that Keys returned
	asked   bool         // whether it was asked
	warned  bool         // the server had something to say about the account
}

func newDialler(config Config) *dialler {
	config.setDefaults()
	return &dialler{Config: config, person: &conversation{prompter: config.Prompter, progress: config.Progress}}
}

func (d *dialler) name() string { return name(d.Host, d.Port) }

// untilNotBusy is one attempt at a server that is not busy.
func (d *dialler) untilNotBusy(ctx context.Context) (*Client, error) {
	pauses := backoff.New()
	for {
		client, err := d.attempt(ctx)
		patience := min(Patience(err), d.Limits.Busy)
		if patience == 0 || d.OneTry && !d.person.begun {
			return client, err
		}
		d.Log.Info("server busy", "err", err)
		d.Progress(Busy(d.name()))
		if !pauses.Wait(ctx, patience) {
			return nil, d.ended(ctx, err)
		}
	}
}

// ended is the end of ctx, or else err.
func (d *dialler) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("dial %s: %w", d.name(), context.Cause(ctx))
	}
	return err
}

// attempt connects and logs in, once.
func (d *dialler) attempt(ctx context.Context) (*Client, error) {
	conn, err := connect(ctx, d.Config)
	if err != nil {
		return nil, err
	}
	return d.login(ctx, conn)
}

func connect(ctx context.Context, config Config) (net.Conn, error) {
	dialer := net.Dialer{
		Timeout: config.Limits.Connect,
		// While the person types nothing crosses the connection, so TCP has to
		// notice a network that is gone.
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: config.Limits.Ping, Interval: config.Limits.Ping, Count: 3,
		},
		Control: tellCuts(config.Limits.Dead),
	}
	conn, err := dialer.DialContext(ctx, "tcp", address(config.Host, config.Port))
	if ctx.Err() != nil {
		if err == nil {
			conn.Close()
		}
		return nil, fmt.Errorf("dial %s: %w", config.Host, context.Cause(ctx))
	}
	if err != nil {
		return nil, notConnected(config, err)
	}
	return conn, nil
}

// login does the key exchange and the authentication on a fresh connection,
// and closes it where they fail.
func (d *dialler) login(ctx context.Context, conn net.Conn) (*Client, error) {
	l := newLine(conn)
	stop := context.AfterFunc(ctx, func() { l.fail(context.Cause(ctx)) })
	defer stop()
	patience := newPatience(l, d.Limits.Handshake)
	defer patience.stop()
	d.person.use(l, patience)
	dialogue, err := d.newDialogue(ctx, l, patience)
	if err != nil {
		l.Close()
		return nil, err
	}
	a := &attempt{config: d.Config, line: l, dialogue: dialogue}
	sshConfig := newSSHConfig(ctx, patience, d.Config)
	dialogue.Apply(sshConfig)
	sshConfig.AuthCallback = a.begin(patience, d.person, sshConfig.AuthCallback)
	sshConn, channels, requests, err := ssh.NewClientConn(l, address(d.Host, d.Port), sshConfig)
	if err != nil {
		l.Close()
		if err = a.explain(ctx, err); errors.Is(err, errLost) && d.person.crossed() {
			err = fmt.Errorf("%w: %w", errAgain, err)
		}
		return nil, err
	}
	patience.stop()
	client := newClient(sshConn, channels, requests, l, d.Config)
	d.warned = dialogue.Warned()
	if err := dialogue.Finish(); err != nil {
		client.Close()
		return nil, err
	}
	if !stop() {
		client.Close()
		return nil, fmt.Errorf("log in to %s: %w", d.Host, context.Cause(ctx))
	}
	return client, nil
}

// attempt is a connection that is logging in.
type attempt struct {
	config   Config
	line     *line
	dialogue *auth.Dialogue
	began    bool // whether the server let the authentication begin
}

// begin returns next, which the library calls first once the server has let the
// authentication begin, and has patience and the person know of that.
func (a *attempt) begin(patience *patience, person *conversation, next ssh.ClientAuthCallback) ssh.ClientAuthCallback {
	return func(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
		if !a.began {
			a.began = true
			patience.authenticate(a.config.Limits.Turn)
			person.hold = min(holdFor(string(state.Metadata.ServerVersion())), a.config.Limits.Hold)
		}
		return next(state)
	}
}

func (d *dialler) newDialogue(ctx context.Context, l *line, patience *patience) (*auth.Dialogue, error) {
	config := auth.Config{
		User:     d.User,
		Server:   d.name(),
		Prompter: d.person,
		Tries:    d.Tries,
		Progress: d.person.advance,
		Lost:     l.lost,
		Log:      d.Log,
	}
	if d.Keys != nil {
		config.Keys = func(ctx context.Context) (signers []ssh.Signer, err error) {
			patience.rest(func() { signers, err = d.keys(ctx) }) // may ask for a passphrase
			return signers, err
		}
	}
	return auth.New(ctx, config)
}

// keys asks for the keys once, however many connections offer them.
func (d *dialler) keys(ctx context.Context) (signers []ssh.Signer, err error) {
	if !d.asked {
		d.asked = true
		d.signers, err = d.Keys(ctx)
	}
	return d.signers, err
}

// newSSHConfig returns what does not depend on the user. Algorithms are the library's, without
// those that it still offers by default and calls insecure.
func newSSHConfig(ctx context.Context, patience *patience, config Config) *ssh.ClientConfig {
	supported := ssh.SupportedAlgorithms()
	known := config.HostKeys.Callback(ctx)
	return &ssh.ClientConfig{
		Config: ssh.Config{
			Ciphers:      ciphers(hasAES()),
			KeyExchanges: supported.KeyExchanges,
			MACs:         supported.MACs,
		},
		ClientVersion:     "SSH-2.0-goldm",
		HostKeyAlgorithms: config.HostKeys.Algorithms(address(config.Host, config.Port)),
		HostKeyCallback: func(address string, remote net.Addr, key ssh.PublicKey) (err error) {
			patience.rest(func() { err = known(address, remote, key) }) // may ask the person
			return err
		},
	}
}
