// Package hostkeys writes down this server's host keys for its clients, as lines of
// known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). It reads the public halves, so it
// needs no rights; and it reads them where they are, so that nobody can slip in others
// as on the way of an ssh-keyscan.
package hostkeys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/whole"
)

// Folder is where sshd keeps its keys.
const Folder = "/etc/ssh"

const (
	defaultPort = 22
	maxFile     = 64 << 10 // bytes; an RSA key of 16384 bits has 3 KiB
)

// Lines returns a line for each key in a folder, for a server that goes by these names
// and listens on this port.
func Lines(folder string, names []string, port int) (string, error) {
	hosts, err := hosts(names, port)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(folder, "ssh_host_*_key.pub"))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, file := range files {
		key, err := read(file)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		if !strings.HasPrefix(key, "ssh-dss ") { // which no client takes
			fmt.Fprintf(&text, "%s %s\n", hosts, key)
		}
	}
	if text.Len() == 0 {
		return "", fmt.Errorf("no host keys in %s; ssh-keygen -A makes them", folder)
	}
	return text.String(), nil
}

// Fingerprints returns those of the keys in a folder, as ssh-keygen -l shows them.
func Fingerprints(folder string) ([]string, error) {
	text, err := Lines(folder, []string{"localhost"}, defaultPort)
	if err != nil {
		return nil, err
	}
	var prints []string
	for line := range strings.Lines(text) {
		blob, err := base64.StdEncoding.DecodeString(strings.Fields(line)[2])
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(blob)
		prints = append(prints, "SHA256:"+base64.RawStdEncoding.EncodeToString(hash[:]))
	}
	return prints, nil
}

// hosts is the first field of a line.
func hosts(names []string, port int) (string, error) {
	if len(names) == 0 {
		return "", errors.New("a name is missing")
	}
	var fields []string
	for _, name := range names {
		name, err := canonical(name)
		if err != nil {
			return "", err
		}
		if port != defaultPort {
			name = fmt.Sprintf("[%s]:%d", name, port)
		}
		fields = append(fields, name)
	}
	return strings.Join(fields, ","), nil
}

// canonical checks a host name or address, and writes it as clients look for it.
func canonical(name string) (string, error) {
	if address, err := netip.ParseAddr(name); err == nil && address.Zone() == "" {
		return address.String(), nil
	}
	strange := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r))
	}
	if name == "" || len(name) > 253 || strings.HasPrefix(name, "-") || strings.ContainsFunc(name, strange) {
		return "", fmt.Errorf("%.60q is neither a host name nor an address", name)
	}
	return strings.ToLower(name), nil
}

func read(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := whole.Read(file, maxFile)
	if err != nil {
		return "", err
	}
	return parse(text)
}

// parse returns type and key of a public key's file, without the comment.
func parse(text []byte) (string, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return "", errors.New("not a public key")
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return "", errors.New("not a public key")
	}
	// The key begins with its type once more (RFC 4253, section 6.6).
	kind := binary.BigEndian.AppendUint32(nil, uint32(len(fields[0])))
	if !bytes.HasPrefix(blob, append(kind, fields[0]...)) {
		return "", fmt.Errorf("the key is not of the type %.40q", fields[0])
	}
	return fields[0] + " " + fields[1], nil
}
