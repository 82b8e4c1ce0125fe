package byhand

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/session"
	"goldm/session/hostkeys"
	"goldm/session/prompt"
)

// tries is how many wrong answers are allowed on a connection, as with ssh.
const tries = 3

// errAgain ends a connection, since the key that the server would take is locked.
var errAgain = errors.New("the key needs its passphrase")

// login logs in, over as many connections as the keys need: a server hangs up after a few
// that it does not know, and does not wait for somebody who looks for a passphrase.
func (r *run) login(ctx context.Context) (*session.Client, error) {
	asks := &person{
		terminal: terminal{},
		others:   []way{newWindow(os.Getenv), askpass{program: os.Getenv("SSH_ASKPASS"), stderr: os.Stderr}},
		stderr:   os.Stderr,
	}
	hostKeys, err := r.hostKeys(asks)
	if err != nil {
		return nil, err
	}
	keys := r.keyring()
	defer keys.close()
	keys.find(ctx)
	for {
		a := &attempt{Prompter: asks, keys: keys, before: keys.offered()}
		client, err := a.dial(ctx, session.Config{
			User:     r.target.user,
			Host:     r.target.host,
			Port:     r.target.port,
			HostKeys: hostKeys,
			Tries:    tries,
			Progress: func(text string) { r.log.Info(text) },
			Log:      r.log,
		})
		if err == nil || !a.again(err) {
			return client, err
		}
		if key := keys.taken(); key != nil && key.signer == nil {
			if err := key.unlock(ctx, asks); err != nil {
				return nil, err
			}
		}
	}
}

// attempt is one connection, and the prompter on it.
type attempt struct {
	prompt.Prompter
	keys *keyring

	before int  // how many keys had been offered before
	asked  bool // whether the person was asked anything
}

// Ask implements prompt.Prompter.
func (a *attempt) Ask(ctx context.Context, q prompt.Question) (string, error) {
	a.asked = true
	return a.Prompter.Ask(ctx, q)
}

func (a *attempt) dial(ctx context.Context, config session.Config) (*session.Client, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	config.Prompter = a
	config.Keys = func(context.Context) ([]ssh.Signer, error) {
		return a.keys.offer(func() { cancel(errAgain) }), nil
	}
	return session.Dial(ctx, config)
}

// again reports whether another connection may do better than the one that err ended: with the
// key unlocked, or with other keys, or with none, where the server hung up over those that it saw.
func (a *attempt) again(err error) bool {
	refused := failure.Of(err).Refused && a.keys.taken() == nil && a.keys.offered() > a.before
	return errors.Is(err, errAgain) || refused && !a.asked
}

func (r *run) hostKeys(asks *person) (*hostkeys.DB, error) {
	own := filepath.Join(r.home, ".ssh", "known_hosts")
	config := hostkeys.Config{
		Files:    []string{own, "/etc/ssh/ssh_known_hosts"},
		Remember: own,
		Log:      r.log,
	}
	if asks.terminal.ready() {
		config.Confirm = asks.confirm
	}
	return hostkeys.Load(config)
}

func (r *run) keyring() *keyring {
	k := &keyring{named: r.identities, only: r.target.identitiesOnly, agent: os.Getenv("SSH_AUTH_SOCK"), log: r.log}
	for _, path := range r.target.identities {
		k.named = append(k.named, expand(path, r.home, r.account, r.target.user, r.target.host))
	}
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		k.usual = append(k.usual, filepath.Join(r.home, ".ssh", name))
	}
	return k
}
