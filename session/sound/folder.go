package sound

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"goldm/session"
	"goldm/session/desktop"
)

//go:embed prepare.sh
var prepareScript string

// folderName is what the script makes. Nothing in it needs quotes anywhere.
var folderName = regexp.MustCompile(`^/[A-Za-z0-9/._-]{1,80}/ltsp-sound-[A-Za-z0-9]{10}$`)

// folder is the folder of a session's sound on the server, with the process there
// that made it and will remove it.
type folder struct {
	path string
	alsa bool // it has a configuration for ALSA

	keeper *session.Process
	word   lastWord // to the keeper
}

// lastWord is read as one word, or none, and then the end; it blocks until
// somebody says or closes it, which happens once.
type lastWord chan string

func (w lastWord) Read(p []byte) (int, error) {
	word, said := <-w
	if !said {
		return 0, io.EOF
	}
	return copy(p, word), nil
}

// makeFolder makes the folder on the server, with a cookie in it.
func makeFolder(ctx context.Context, client *session.Client, cookie []byte) (*folder, error) {
	said, complaints := newAnswer(), newAnswer()
	f := &folder{word: make(lastWord, 1)}
	f.keeper = client.Command(session.Cmd{
		Line:   desktop.Command([]string{"/bin/sh", "-c", prepareScript}),
		Stdin:  io.MultiReader(bytes.NewReader(cookie), f.word),
		Stdout: said,
		Stderr: complaints,
	})
	if err := f.keeper.Start(ctx); err != nil {
		close(f.word)
		return nil, err
	}
	select {
	case <-said.complete:
	case <-f.keeper.Exited():
	case <-ctx.Done():
	}
	if err := f.parse(said.String()); err != nil {
		close(f.word)
		return nil, fmt.Errorf("%w: %.200q", err, complaints.String())
	}
	return f, nil
}

// The script's answer, among what the user's shell may print before it.
const (
	answerALSA   = "ldm-sound alsa"
	answerFolder = "ldm-sound folder " // the last
)

// parse reads what the script said.
func (f *folder) parse(said string) error {
	for line := range strings.Lines(said) {
		line = strings.TrimSuffix(line, "\n")
		if line == answerALSA {
			f.alsa = true
		}
		if found, ok := strings.CutPrefix(line, answerFolder); ok {
			f.path = found
		}
	}
	if path.Clean(f.path) != f.path || !folderName.MatchString(f.path) {
		return fmt.Errorf("no folder for sound, but %.100q", f.path)
	}
	return nil
}

// remove removes the folder, and waits a while until that is done.
func (f *folder) remove(limit time.Duration) {
	close(f.word)
	select {
	case <-f.keeper.Exited():
	case <-time.After(limit):
	}
}

// keep leaves the folder to somebody else to remove.
func (f *folder) keep() {
	f.word <- "keep\n"
	close(f.word)
}

// socket is where the server listens.
func (f *folder) socket() string { return f.path + "/native" }

// env returns the variables that lead programs to the folder.
func (f *folder) env() map[string]string {
	env := map[string]string{
		"LTSP_SOUND":         f.path, // for ltsp-server-agent
		"PULSE_SERVER":       "unix:" + f.socket(),
		"PULSE_COOKIE":       f.path + "/cookie",
		"PULSE_CLIENTCONFIG": f.path + "/client.conf",

		// The server's own PipeWire has no loudspeaker that the user could hear. Where
		// nothing listens here, programs fall back to PulseAudio.
		"PIPEWIRE_REMOTE": f.path + "/pipewire-0",
	}
	if f.alsa {
		env["ALSA_CONFIG_PATH"] = "/usr/share/alsa/alsa.conf:" + f.path + "/alsa.conf"
	}
	return env
}

// maxAnswer bounds what is kept of what a process prints, in bytes.
const maxAnswer = 64 << 10

// answer is what a process prints, until the folder's line is among it.
type answer struct {
	complete chan struct{} // closed then, or when too much was printed

	mu   sync.Mutex
	text []byte
	over bool
}

func newAnswer() *answer { return &answer{complete: make(chan struct{})} }

func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return len(p), nil
	}
	a.text = append(a.text, p[:min(len(p), maxAnswer-len(a.text))]...)
	_, last, found := bytes.Cut(append([]byte("\n"), a.text...), []byte("\n"+answerFolder))
	if found && bytes.Contains(last, []byte("\n")) || len(a.text) == maxAnswer {
		a.over = true
		close(a.complete)
	}
	return len(p), nil
}

func (a *answer) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.text)
}
