package byhand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/folder"
	"goldm/session"
	"goldm/session/sound"
)

// cookieSize is the length of PulseAudio's cookies.
const cookieSize = 256

// startSound offers the person's own sound daemon to the session, if it runs.
func (r *run) startSound(ctx context.Context, client *session.Client) *sound.Sound {
	if r.noSound || r.display == nil {
		return nil
	}
	socket, err := soundSocket(os.Getenv)
	if err != nil {
		r.log.Warn("no sound", "err", err)
		return nil
	}
	if socket == "" {
		r.log.Info("no sound: there is no daemon on this computer")
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.log.Info("no sound: no daemon runs", "err", err)
		return nil
	case err != nil:
		r.log.Warn("no sound: the daemon cannot be reached", "err", err)
		return nil
	}
	conn.Close()
	cookie := r.soundCookie(os.Getenv)
	return sound.Start(ctx, client, sound.Daemon{Socket: socket, Cookie: cookie}, r.log)
}

// soundSocket returns the socket of the person's daemon, where PulseAudio's library
// would look for it: pulse-client.conf(5). It is empty where there can be none. A runtime
// directory that others can write to is refused: the daemon there is told the cookie.
func soundSocket(getenv func(string) string) (string, error) {
	for server := range strings.FieldsSeq(getenv("PULSE_SERVER")) {
		if strings.HasPrefix(server, "{") { // of this computer, or of that one
			_, server, _ = strings.Cut(server, "}")
		}
		if path := strings.TrimPrefix(server, "unix:"); filepath.IsAbs(path) {
			return path, nil
		}
	}
	if getenv("PULSE_SERVER") != "" { // a daemon of the network, which the server reaches as well as we do
		return "", nil
	}
	if path := getenv("PULSE_RUNTIME_PATH"); path != "" {
		return filepath.Join(path, "native"), checkOwn(path)
	}
	if path := getenv("XDG_RUNTIME_DIR"); path != "" {
		return filepath.Join(path, "pulse", "native"), checkOwn(path)
	}
	return "", nil
}

// checkOwn says why a folder is not the person's own. One that is missing has no daemon.
func checkOwn(path string) error {
	err := folder.Owned(path, os.Getuid())
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s is not safe: %w", path, err)
}

// soundCookie returns the daemon's cookie. Where there is none the daemon knows us by our
// user id, and wants to see a cookie nonetheless.
func (r *run) soundCookie(getenv func(string) string) []byte {
	config := cmp.Or(getenv("XDG_CONFIG_HOME"), filepath.Join(r.home, ".config"))
	for _, path := range []string{getenv("PULSE_COOKIE"), filepath.Join(config, "pulse", "cookie"), filepath.Join(r.home, ".pulse-cookie")} {
		if path == "" {
			continue
		}
		cookie, err := os.ReadFile(path)
		if err == nil && len(cookie) == cookieSize {
			return cookie
		}
		r.log.Debug("no cookie of the sound daemon", "path", path, "bytes", len(cookie), "err", err)
	}
	return make([]byte, cookieSize)
}
