package auth

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/session/prompt"
)

// Config describes one authentication.
type Config struct {
	User     string
	Server   string // its name, for the sentences
	Prompter prompt.Prompter

	// Keys returns the keys to offer; nil for none. It is called once,
	// and only where the server takes keys.
	Keys func(context.Context) ([]ssh.Signer, error)

	// Tries is how many wrong answers are allowed on the connection before
	// the login is refused; 0 means 1.
	Tries int

	// Progress is told of a step that was accepted, a few words for the person;
	// may be nil.
	Progress func(text string)

	// Lost tells why the connection broke, if it did; may be nil. The library
	// itself does not tell a broken connection from a refused answer.
	Lost func() error

	Log *slog.Logger
}

// maxReason bounds what a sentence quotes of the server, in characters.
const maxReason = 500

// The RFC 4252 names of the methods that are used.
const (
	publicKey           = "publickey"
	keyboardInteractive = "keyboard-interactive"
	password            = "password"
)

// Dialogue is one authentication.
type Dialogue struct {
	ctx    context.Context // of the login that the library's callbacks belong to
	config Config

	mu    sync.Mutex  // held by the library's callbacks, and by later
	later *time.Timer // shows what waits to be shown; nil for none

	err     error           // what ended the dialogue on our side
	method  string          // in use
	answers int             // the person's to the method in use
	repeats map[string]bool // questions that the method in use has asked
	useless map[string]bool // methods that failed before they asked anything
	offered bool            // whether the keys were offered
	steps   int             // partial successes so far
	wrong   int             // methods that failed with the person's answers

	budget budget
	queue  []prompt.Notice // to show before the next question
	said   []string        // what the server said since the last answer
	warned bool            // whether a banner was among that
}

// quiet is how long a server may be silent after a text without a question
// before the text is shown. Shown at once, the reason of a refusal, which comes
// this way, would be shown twice; not shown, nobody would touch the telephone
// that it may speak of.
const quiet = 2 * time.Second

// New returns a dialogue that ctx ends. The error is CheckUser's.
func New(ctx context.Context, config Config) (*Dialogue, error) {
	if err := CheckUser(config.User); err != nil {
		return nil, err
	}
	config.Tries = max(config.Tries, 1)
	if config.Progress == nil {
		config.Progress = func(string) {}
	}
	return &Dialogue{ctx: ctx, config: config, repeats: make(map[string]bool), useless: make(map[string]bool), budget: newBudget()}, nil
}

// Apply sets the parts of an SSH configuration that authenticate.
func (d *Dialogue) Apply(c *ssh.ClientConfig) {
	c.User = d.config.User
	c.AuthCallback = d.next
	c.BannerCallback = d.banner
}

// Finish shows what the server said last. It is called once the server has let
// the user in.
func (d *Dialogue) Finish() error {
	d.lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	return d.flush()
}

// Err returns what ended the dialogue on our side, such as a person who gave up;
// nil for nothing.
func (d *Dialogue) Err() error {
	d.lock()
	defer d.mu.Unlock()
	return d.err
}

// Said returns, harmless, what the server said since the last answer. Where it
// closes the connection then, that is why.
func (d *Dialogue) Said() string {
	d.lock()
	defer d.mu.Unlock()
	return d.reason()
}

func (d *Dialogue) reason() string { return text.Harmless(strings.Join(d.said, "\n"), maxReason) }

// Warned reports whether the server sent a banner after it got the last answer or
// the keys: it has something to say about the account.
func (d *Dialogue) Warned() bool {
	d.lock()
	defer d.mu.Unlock()
	return d.warned
}

// lock locks the dialogue, in which the server has now taken its turn.
func (d *Dialogue) lock() {
	d.mu.Lock()
	if d.later != nil {
		d.later.Stop()
		d.later = nil
	}
}

// showLater shows what waits to be shown if the server then says nothing.
func (d *Dialogue) showLater() {
	var own *time.Timer
	own = time.AfterFunc(quiet, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.later == own {
			d.said = nil
			d.flush() // an error stays, and the login ends at its next step
		}
	})
	d.later = own
}

// next chooses the method to try, or ends the login. The library calls it after
// `none` and after each method, whatever way the method ended.
func (d *Dialogue) next(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	d.lock()
	defer d.mu.Unlock()
	if err := d.over(); err != nil {
		return nil, err
	}
	switch {
	case len(state.PartialSuccessMethods) > d.steps:
		d.steps = len(state.PartialSuccessMethods)
		d.useless = make(map[string]bool)
		d.config.Log.Info("authentication goes on", "done", state.PartialSuccessMethods, "next", state.AllowedMethods)
		d.config.Progress(accepted(d.method))
	case d.answers > 0:
		d.wrong++
		d.config.Log.Info("answer refused", "method", d.method, "times", d.wrong)
		if d.wrong >= d.config.Tries {
			return nil, d.refuse()
		}
		d.queue = append(d.queue, prompt.Notice{Text: "The server did not accept this. Try again.", Error: true})
	case d.method != "":
		d.useless[d.method] = true
	}
	return d.choose(state.AllowedMethods)
}

// accepted says that a method has done its part.
func accepted(method string) string {
	switch method {
	case password:
		return "Password accepted; one more step…"
	case publicKey:
		return "Key accepted; one more step…"
	}
	return "Answer accepted; one more step…"
}

// over returns why the dialogue cannot go on, nil where it can.
func (d *Dialogue) over() error {
	if d.err == nil {
		d.err = context.Cause(d.ctx)
	}
	if d.err == nil && d.config.Lost != nil {
		return d.config.Lost()
	}
	return d.err
}

// choose takes the first of our methods, in ssh's order, that the server allows.
func (d *Dialogue) choose(allowed []string) (ssh.AuthMethod, error) {
	for _, method := range []string{publicKey, keyboardInteractive, password} {
		if !slices.Contains(allowed, method) || d.useless[method] {
			continue
		}
		if method == publicKey && (d.config.Keys == nil || d.offered) {
			continue
		}
		d.method, d.answers, d.repeats = method, 0, make(map[string]bool)
		return d.use(method), nil
	}
	if d.wrong == 0 && !d.knows(allowed) {
		return nil, failure.New(fmt.Errorf("methods of the server: %q", allowed),
			"The server %s has no way to log in that this client can use. Ask the administrator to allow passwords there.",
			d.config.Server)
	}
	return nil, d.refuse()
}

// knows reports whether one of the methods is one of ours.
func (d *Dialogue) knows(methods []string) bool {
	return slices.ContainsFunc(methods, func(m string) bool {
		return m == password || m == keyboardInteractive || m == publicKey && d.config.Keys != nil
	})
}

func (d *Dialogue) use(method string) ssh.AuthMethod {
	switch method {
	case publicKey:
		d.offered = true
		return ssh.PublicKeysCallback(d.keys)
	case keyboardInteractive:
		return ssh.KeyboardInteractive(d.challenge)
	default:
		return ssh.PasswordCallback(d.password)
	}
}

func (d *Dialogue) keys() ([]ssh.Signer, error) {
	d.lock()
	defer d.mu.Unlock()
	d.said, d.warned = nil, false
	signers, err := d.config.Keys(d.ctx)
	if err != nil {
		d.config.Log.Warn("keys not offered", "err", err)
	}
	return signers, err
}

// PasswordPrompt is what is asked for the method "password", which has no
// question of its own (RFC 4252, section 8).
const PasswordPrompt = "Password: "

// password asks for the one secret of that method. An empty answer is an answer too.
func (d *Dialogue) password() (string, error) {
	d.lock()
	defer d.mu.Unlock()
	return d.ask(prompt.Question{Text: PasswordPrompt})
}

// ask shows what waits to be shown, and then asks.
func (d *Dialogue) ask(q prompt.Question) (string, error) {
	if err := d.flush(); err != nil {
		return "", err
	}
	answer, err := d.config.Prompter.Ask(d.ctx, q)
	if err != nil {
		return "", d.end(fmt.Errorf("ask: %w", err))
	}
	d.answers++
	d.said, d.warned = nil, false
	return answer, nil
}

// flush shows what waits to be shown.
func (d *Dialogue) flush() error {
	queue := d.queue
	d.queue = nil
	for _, n := range queue {
		if err := d.config.Prompter.Show(d.ctx, n); err != nil {
			return d.end(fmt.Errorf("show: %w", err))
		}
	}
	return nil
}

// end ends the dialogue with err. The library takes an error of a callback for a
// failed method and goes on, so next looks here.
func (d *Dialogue) end(err error) error {
	if d.err == nil {
		d.err = err
	}
	return err
}

// refuse is the sentence for wrong answers, with what the server said to them.
func (d *Dialogue) refuse() error {
	cause := fmt.Errorf("authentication refused after %d failures and %d steps", d.wrong, d.steps)
	if said := d.reason(); said != "" {
		return failure.Refuse(cause, "The server %s did not let you in. It says: %s", d.config.Server, said)
	}
	switch {
	case d.wrong == 0:
		return failure.Refuse(cause, "The server %s does not let the user %s in. Ask the administrator.",
			d.config.Server, text.Line(d.config.User, maxUser))
	case d.steps > 0:
		return failure.Refuse(cause, "The server %s accepted the first step of the login, but did not accept the answer to the next one. Try again.",
			d.config.Server)
	case d.answers > 1:
		return failure.Refuse(cause, "The server %s did not accept these answers. Try again.", d.config.Server)
	}
	return failure.Refuse(cause, "The server did not accept this user name and password. Try again.")
}
