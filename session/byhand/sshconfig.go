package byhand

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kevinburke/ssh_config"

	"goldm/internal/whole"
)

// maxSSHConfig bounds what is read of ~/.ssh/config, in bytes.
const maxSSHConfig = 1 << 20

// hostConfig is what ~/.ssh/config says about a host alias; zero where it says nothing.
type hostConfig struct {
	host       string
	user       string
	port       int
	identities []string

	identitiesOnly bool
	pkcs11         string // a library with keys, which we do not use
}

// readHostConfig reads what the file says about alias; see ssh_config(5). A file that
// is not there says nothing.
func readHostConfig(path, alias string) (hostConfig, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return hostConfig{}, nil
	}
	if err != nil {
		return hostConfig{}, err
	}
	defer file.Close()
	content, err := whole.Read(file, maxSSHConfig)
	if err != nil {
		return hostConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	h, err := parseHostConfig(content, alias)
	if err != nil {
		return hostConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

func parseHostConfig(content []byte, alias string) (hostConfig, error) {
	config, err := ssh_config.DecodeBytes(content)
	if err != nil {
		// Most often a Match that asks for what only ssh knows.
		config, err = ssh_config.DecodeBytes(withoutMatch(content))
	}
	if err != nil {
		return hostConfig{}, err
	}
	var h hostConfig
	if h.host, err = config.Get(alias, "HostName"); err != nil {
		return hostConfig{}, err
	}
	h.host = strings.NewReplacer("%h", alias, "%%", "%").Replace(h.host)
	if h.user, err = config.Get(alias, "User"); err != nil {
		return hostConfig{}, err
	}
	port, err := config.Get(alias, "Port")
	if err != nil {
		return hostConfig{}, err
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return hostConfig{}, fmt.Errorf("port %.20q of host %s is no port", port, alias)
		}
		h.port = int(n)
	}
	if h.identities, err = config.GetAll(alias, "IdentityFile"); err != nil {
		return hostConfig{}, err
	}
	only, err := config.Get(alias, "IdentitiesOnly")
	if err != nil {
		return hostConfig{}, err
	}
	h.identitiesOnly = strings.EqualFold(only, "yes")
	if h.pkcs11, err = config.Get(alias, "PKCS11Provider"); err != nil || strings.EqualFold(h.pkcs11, "none") {
		h.pkcs11 = ""
	}
	return h, err
}

// withoutMatch returns the lines of a configuration but for its Match blocks.
func withoutMatch(content []byte) []byte {
	var kept strings.Builder
	skip := false
	for line := range strings.Lines(string(content)) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t=\r\n", r) })
		if len(words) > 0 {
			switch strings.ToLower(words[0]) {
			case "match":
				skip = true
			case "host":
				skip = false
			}
		}
		if !skip {
			kept.WriteString(line)
		}
	}
	return []byte(kept.String())
}

// expand resolves the tilde and the tokens of an IdentityFile; ssh_config(5), TOKENS.
func expand(path, home, localUser, remoteUser, host string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(home, rest)
	}
	return strings.NewReplacer("%d", home, "%u", localUser, "%r", remoteUser, "%h", host, "%%", "%").Replace(path)
}
