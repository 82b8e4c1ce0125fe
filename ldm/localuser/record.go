package localuser

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Shell is the local users'.
const Shell = "/bin/sh"

// newSuffix ends the name of a record that is being written.
const newSuffix = ".new"

// nameFile, in a user's folder, holds the name: what Sweep goes by.
const nameFile = "name"

// userRecord is a JSON user record (systemd.io, USER_RECORD). It has no
// password, and is locked besides.
type userRecord struct {
	UserName      string `json:"userName"`
	UID           int    `json:"uid"`
	GID           int    `json:"gid"`
	Disposition   string `json:"disposition"`
	HomeDirectory string `json:"homeDirectory"`
	Shell         string `json:"shell"`
	Locked        bool   `json:"locked"`
}

// groupRecord is a JSON group record (systemd.io, GROUP_RECORD).
type groupRecord struct {
	GroupName   string `json:"groupName"`
	GID         int    `json:"gid"`
	Disposition string `json:"disposition"`
}

// write makes the user's folder, in which the name comes first, and the records.
func (u *User) write() error {
	if err := os.Mkdir(u.Dir, 0o711); err != nil {
		return err
	}
	if err := os.MkdirAll(u.records, 0o755); err != nil {
		return err
	}
	if err := errors.Join(
		os.Chmod(u.Dir, 0o711), // whatever the umask
		os.Chmod(u.records, 0o755),
		os.WriteFile(filepath.Join(u.Dir, nameFile), []byte(u.Name), 0o600),
	); err != nil {
		return err
	}
	group := groupRecord{GroupName: u.Name, GID: u.GID, Disposition: "dynamic"}
	return errors.Join(
		u.record("user", u.UID, u.userRecord(fmt.Sprintf("/run/user/%d", u.UID))),
		u.record("group", u.GID, group),
	)
}

func (u *User) userRecord(home string) userRecord {
	return userRecord{
		UserName: u.Name, UID: u.UID, GID: u.GID, Disposition: "dynamic",
		HomeDirectory: home, Shell: Shell, Locked: true,
	}
}

// SetHome changes the home that programs find in the user's record.
func (u *User) SetHome(path string) error {
	// What nss-systemd(8) would refuse would take the whole user away.
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || strings.ContainsFunc(path, func(r rune) bool { return r == ':' || unicode.IsControl(r) }) {
		return fmt.Errorf("%q cannot be the home in a user record", path)
	}
	text, err := json.Marshal(u.userRecord(path))
	if err != nil {
		return err
	}
	record := filepath.Join(u.records, u.Name+".user")
	if err := os.WriteFile(record+newSuffix, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return errors.Join(os.Chmod(record+newSuffix, 0o644), os.Rename(record+newSuffix, record))
}

// record writes a record, named by name, and the link that finds it by number
// (nss-systemd(8)). The link comes first: as long as it is there, the record is
// ours to remove. One of another's is left alone.
func (u *User) record(kind string, number int, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	base, link := u.Name+"."+kind, u.link(kind, number)
	if err := os.Symlink(base, link); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(u.records, base), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return errors.Join(err, os.Remove(link))
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Chmod(0o644), file.Close())
}

func (u *User) link(kind string, number int) string {
	return filepath.Join(u.records, strconv.Itoa(number)+"."+kind)
}

// Release removes the user's records and its folder.
func (u *User) Release() error {
	return errors.Join(u.remove("user", u.UID), u.remove("group", u.GID), os.RemoveAll(u.Dir))
}

func (u *User) remove(kind string, number int) error {
	base, link := u.Name+"."+kind, u.link(kind, number)
	target, err := os.Readlink(link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case target != base:
		return fmt.Errorf("%s leads to %s", link, target)
	}
	os.Remove(filepath.Join(u.records, base+newSuffix)) // of an ldm that was killed
	err = os.Remove(filepath.Join(u.records, base))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(link))
}

// Sweep releases the users that an ldm left behind that was killed: those with
// a folder in c.Folders.
func Sweep(c Config) error {
	entries, err := os.ReadDir(c.Folders)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		uid, err := strconv.Atoi(e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		name, err := os.ReadFile(filepath.Join(c.Folders, e.Name(), nameFile))
		if errors.Is(err, fs.ErrNotExist) { // killed before the name was written
			err = nil
		}
		errs = append(errs, err, newUser(c, uid, string(name)).Release())
	}
	return errors.Join(errs...)
}
