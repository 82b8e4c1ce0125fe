package e2e

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"goldm/internal/testbed"
)

// agentSocket is where an agent of carl's listens.
const agentSocket = "/tmp/carls-agent"

// newPerson brings up both machines with carl, an ordinary user of the client, who has an
// account anna on the server.
func newPerson(t *testing.T, options ...option) *station {
	t.Helper()
	s := newStation(t, options...)
	s.must(s.Client.AddUser(t.Context(), "carl", "unused"))
	s.asCarl("mkdir", "-m", "700", ".ssh")
	return s
}

// asCarl runs a command of carl's on the client.
func (s *station) asCarl(argv ...string) string {
	s.t.Helper()
	c := s.Client.Command(s.t.Context(), "carl", argv...)
	c.Env = append(c.Env, "SSH_AUTH_SOCK="+agentSocket)
	out, err := c.Output()
	s.must(err)
	return string(out)
}

// makeKey makes a key of carl's, and returns its public half.
func (s *station) makeKey(path, passphrase string, options ...string) string {
	s.t.Helper()
	s.asCarl(append([]string{"ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path, "-f", path}, options...)...)
	return s.asCarl("cat", path+".pub")
}

// authorize lets these keys, and no others, into anna's account.
func (s *station) authorize(keys ...string) {
	s.t.Helper()
	write := s.Server.Command(s.t.Context(), "anna", "sh", "-c", "mkdir -m 700 -p .ssh && cat >.ssh/authorized_keys")
	write.Stdin = strings.NewReader(strings.Join(keys, ""))
	s.must(write.Run())
}

// byKey logs in where nobody can be asked, and returns what ldm-session says, and
// whether it was let in.
func (s *station) byKey(args ...string) (complaint string, in bool) {
	s.t.Helper()
	c := s.keyCommand(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	return stderr.String(), err == nil && string(out) == "in\n"
}

func (s *station) keyCommand(args ...string) *testbed.Cmd {
	c := s.Client.Command(s.t.Context(), "carl", append(append([]string{"ldm-session"}, args...), "--", "echo", "in")...)
	c.Env = append(c.Env, "SSH_AUTH_SOCK="+agentSocket)
	return c
}

// letsIn fails unless a login without questions succeeds.
func (s *station) letsIn(what string, args ...string) {
	s.t.Helper()
	if complaint, in := s.byKey(args...); !in {
		s.t.Errorf("%s: not let in: %s", what, complaint)
	}
}

// refuses fails unless a login without questions fails and says a text.
func (s *station) refuses(what, text string, args ...string) {
	s.t.Helper()
	complaint, in := s.byKey(args...)
	if in || !strings.Contains(complaint, text) {
		s.t.Errorf("%s: let in %v, said %q; want %q in it", what, in, complaint, text)
	}
}

// onTerminal logs in on a terminal, where the server, or the key, asks questions in turn.
func (s *station) onTerminal(args []string, dialogue ...string) *journal {
	s.t.Helper()
	c := s.keyCommand(args...)
	terminal, err := c.StartOnTerminal()
	s.must(err)
	defer terminal.Close()
	seen := newJournal()
	go seen.ReadFrom(terminal)
	mark := 0
	for i := 0; i < len(dialogue); i += 2 {
		mark = seen.wait(s.t, mark, dialogue[i])
		_, err := terminal.WriteString(dialogue[i+1] + "\n")
		s.must(err)
	}
	seen.wait(s.t, mark, "in\r\n")
	s.must(c.Wait())
	return seen
}

// agent starts Debian's ssh-agent for carl.
func (s *station) agent() {
	s.t.Helper()
	c := s.Client.Command(s.t.Context(), "carl", "ssh-agent", "-D", "-a", agentSocket)
	s.must(c.Start())
	settle(s.t, "the agent is there", func() bool {
		_, err := s.Client.Stat(agentSocket)
		return err == nil
	})
}

func TestKeyFiles(t *testing.T) {
	s := newPerson(t)
	key := s.makeKey(".ssh/work", "")
	s.authorize(key)
	s.refuses("no key", "neither a terminal nor a display", "anna@server")
	s.letsIn("-i", "-i", ".ssh/work", "anna@server")
	s.must(s.Client.WriteFile("/home/carl/.ssh/config", []byte("Host school\n  HostName server\n  User anna\n  IdentityFile ~/.ssh/work\n"), 0o644))
	s.letsIn("IdentityFile", "school")

	s.asCarl("chmod", "644", ".ssh/work")
	s.refuses("a key that others may read", "mode 0644 lets others use it: chmod 600 it", "school")
	s.asCarl("mv", ".ssh/work", ".ssh/id_ed25519")
	s.asCarl("chmod", "600", ".ssh/id_ed25519")
	s.letsIn("a usual file", "anna@server")

	rsa := s.makeKey("rsa", "", "-t", "rsa")
	ecdsa := s.makeKey("ecdsa", "", "-t", "ecdsa")
	s.authorize(rsa, ecdsa)
	s.letsIn("RSA", "-i", "rsa", "anna@server")
	s.letsIn("ECDSA", "-i", "ecdsa", "anna@server")
}

func TestEncryptedKeyFiles(t *testing.T) {
	s := newPerson(t)
	s.authorize(s.makeKey("locked", "open sesame"))
	s.makeKey("stranger", "never asked for")
	seen := s.onTerminal([]string{"-i", "stranger", "-i", "locked", "anna@server"},
		"Passphrase for the key locked: ", "wrong",
		"Passphrase for the key locked: ", "open sesame")
	if strings.Contains(seen.String(), "stranger:") || strings.Contains(seen.String(), "sesame") {
		t.Errorf("asked for a key that the server would not take, or showed the answer: %s", seen)
	}
	// After three, and after none, the other ways follow.
	seen = s.onTerminal([]string{"-i", "locked", "anna@server"},
		"locked: ", "1", "locked: ", "2", "locked: ", "3", "assword", password)
	if n := strings.Count(seen.String(), "Passphrase"); n != 3 {
		t.Errorf("asked %d times: %s", n, seen)
	}
	s.onTerminal([]string{"-i", "locked", "anna@server"}, "locked: ", "", "assword", password)

	for _, format := range []string{"PEM", "RFC4716"} { // RFC4716 stands for OpenSSH's own
		s.asCarl("ssh-keygen", "-q", "-t", "rsa", "-m", format, "-N", "open sesame", "-f", format)
		s.authorize(s.asCarl("cat", format+".pub"))
		s.onTerminal([]string{"-i", format, "anna@server"}, format+": ", "open sesame")
	}
}

// A key with a passphrase may be one step of two.
func TestEncryptedKeyThenPassword(t *testing.T) {
	s := newPerson(t)
	s.authorize(s.makeKey("locked", "open sesame"))
	s.agent()
	s.addStrangers(7)
	s.startSSHD("-p", "2222", "-o", "AuthenticationMethods=publickey,password")
	s.onTerminal([]string{"-i", "locked", "anna@server:2222"}, "locked: ", "open sesame", "assword", password)
}

// addStrangers puts keys into the agent that no server knows.
func (s *station) addStrangers(n int) {
	s.t.Helper()
	for i := range n {
		name := fmt.Sprintf("stranger%d", i)
		s.makeKey(name, "")
		s.asCarl("ssh-add", "-q", name)
	}
}

// startSSHD starts a second sshd with other settings, and returns a function that ends it.
func (s *station) startSSHD(args ...string) (stop func()) {
	s.t.Helper()
	log := newJournal()
	c := s.Server.Command(s.t.Context(), "root", append([]string{"/usr/sbin/sshd", "-D", "-e", "-o", "PidFile=none"}, args...)...)
	c.Stderr = log
	s.must(c.Start())
	log.wait(s.t, 0, "Server listening on ")
	return func() {
		c.Process.Kill()
		c.Wait()
	}
}

// An agent full of keys locks nobody out, by the password or by its last key; also where
// failed connections shut an address out for a while (Debian 13, PerSourcePenalties).
func TestAgentWithManyKeys(t *testing.T) {
	for _, release := range releases {
		t.Run(release, func(t *testing.T) { manyKeys(t, newPerson(t, onServer(release))) })
	}
}

func manyKeys(t *testing.T, s *station) {
	t.Helper()
	s.agent()
	s.addStrangers(9)
	own := s.makeKey("own", "")
	s.asCarl("ssh-add", "-q", "own")
	s.authorize(own)
	s.letsIn("the last of ten", "anna@server")
	s.letsIn("the named one first", "-i", "own", "anna@server")

	s.authorize("")
	s.onTerminal([]string{"anna@server"}, "assword", password)
	s.startSSHD("-p", "2222", "-o", "MaxAuthTries=2")
	s.authorize(own)
	s.letsIn("few tries", "-i", "own", "anna@server:2222")
	s.authorize("")
	s.asCarl("ssh-add", "-q", "-D")
	s.asCarl("ssh-add", "-q", "own", "stranger1")
	s.onTerminal([]string{"anna@server:2222"}, "assword", password)
}

func TestIdentitiesOnly(t *testing.T) {
	s := newPerson(t)
	s.agent()
	agents := s.makeKey("agents", "")
	s.asCarl("ssh-add", "-q", "agents")
	s.makeKey("named", "")
	s.must(s.Client.WriteFile("/home/carl/.ssh/config", []byte("Host server\n  IdentitiesOnly yes\n  IdentityFile ~/named\n"), 0o644))
	s.authorize(agents)
	s.refuses("the agent's", "neither a terminal nor a display", "anna@server")
	s.letsIn("a public key chooses the agent's", "-i", "agents.pub", "anna@server")
}

func TestUserCertificates(t *testing.T) {
	s := newPerson(t)
	s.makeKey("authority", "")
	authority := s.asCarl("cat", "authority.pub")
	s.must(s.Server.WriteFile("/etc/ssh/user_ca.pub", []byte(authority), 0o644))
	s.startSSHD("-p", "2222", "-o", "TrustedUserCAKeys=/etc/ssh/user_ca.pub")
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		s.asCarl("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", kind)
		s.refuses(kind+" without a certificate", "neither a terminal nor a display", "-i", kind, "anna@server:2222")
		s.asCarl("ssh-keygen", "-q", "-s", "authority", "-I", "carl", "-n", "anna", "-V", "+1h", kind+".pub")
		s.letsIn(kind+" with a certificate", "-i", kind, "anna@server:2222")
	}
	s.agent()
	s.asCarl("ssh-add", "-q", "rsa") // with rsa-cert.pub
	s.letsIn("the agent's", "anna@server:2222")
	s.asCarl("ssh-keygen", "-q", "-s", "authority", "-I", "carl", "-n", "other", "-V", "+1h", "ed25519.pub")
	s.asCarl("ssh-add", "-q", "-D")
	s.refuses("for somebody else", "neither a terminal nor a display", "-i", "ed25519", "anna@server:2222")

	s.makeKey("locked", "open sesame")
	s.asCarl("ssh-keygen", "-q", "-s", "authority", "-I", "carl", "-n", "anna", "-V", "+1h", "locked.pub")
	s.onTerminal([]string{"-i", "locked", "anna@server:2222"}, "Passphrase for the key locked: ", "open sesame")
}

// A security key is the agent's business; its file alone says so.
func TestSecurityKey(t *testing.T) {
	s := newPerson(t)
	key, err := newSecurityKey()
	s.must(err)
	listener, err := s.Client.Listen(t.Context(), "unix", agentSocket)
	s.must(err)
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func(conn net.Conn) {
				defer conn.Close()
				agent.ServeAgent(key, conn)
			}(conn)
		}
	}()
	public := string(ssh.MarshalAuthorizedKey(key.public))
	s.authorize(public)
	s.letsIn("a touched key", "anna@server")

	s.must(s.Client.WriteFile("/home/carl/id_sk", []byte("the handle of a key"), 0o600))
	s.must(s.Client.WriteFile("/home/carl/id_sk.pub", []byte(public), 0o644))
	s.asCarl("rm", "-f", ".ssh/config")
	s.letsIn("its file, with an agent", "-i", "id_sk.pub", "anna@server")
	s.must(s.Client.WriteFile("/home/carl/.ssh/config", []byte("PKCS11Provider /usr/lib/token.so\n"), 0o644))
	s.authorize("")
	s.refuses("a token", "ssh-add -s", "anna@server")
}

// securityKey is an agent with a FIDO key made of software (PROTOCOL.u2f of OpenSSH).
type securityKey struct {
	agent.Agent // nil: it only lists and signs
	private     ed25519.PrivateKey
	public      ssh.PublicKey
}

const application = "ssh:"

func newSecurityKey() (*securityKey, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	blob := ssh.Marshal(struct{ Type, Key, Application string }{ssh.KeyAlgoSKED25519, string(public), application})
	key, err := ssh.ParsePublicKey(blob)
	return &securityKey{private: private, public: key}, err
}

func (k *securityKey) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: k.public.Type(), Blob: k.public.Marshal()}}, nil
}

// Sign signs as a key that was touched does.
func (k *securityKey) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	if !bytes.Equal(key.Marshal(), k.public.Marshal()) {
		return nil, errors.New("no such key")
	}
	const touched = 1
	state := binary.BigEndian.AppendUint32([]byte{touched}, 7) // its counter
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	signed := append(append(app[:], state...), message[:]...)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(k.private, signed), Rest: state}, nil
}
