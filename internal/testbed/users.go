package testbed

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// user is whom a command runs as.
type user struct {
	Name        string
	UID, GID    int
	Groups      []int // supplementary, the primary one included
	Home, Shell string
}

// lookup finds a user of the machine by name, or makes one of "uid:gid" that
// the machine need not know.
func (m *Machine) lookup(name string) (user, error) {
	if uid, gid, ok := strings.Cut(name, ":"); ok {
		u := user{Name: name, Home: "/", Shell: "/bin/sh"}
		var err error
		if u.UID, err = strconv.Atoi(uid); err != nil {
			return u, fmt.Errorf("user %q: %w", name, err)
		}
		if u.GID, err = strconv.Atoi(gid); err != nil {
			return u, fmt.Errorf("user %q: %w", name, err)
		}
		return u, nil
	}
	passwd, err := m.ReadFile("/etc/passwd")
	if err != nil {
		return user{}, err
	}
	group, err := m.ReadFile("/etc/group")
	if err != nil {
		return user{}, err
	}
	u, ok := parsePasswd(string(passwd), name)
	if !ok {
		return user{}, fmt.Errorf("%s has no user %q", m.Name, name)
	}
	u.Groups = append([]int{u.GID}, parseGroups(string(group), name)...)
	return u, nil
}

// parsePasswd finds a user in the text of passwd(5).
func parsePasswd(text, name string) (user, bool) {
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 7 || f[0] != name {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 == nil && err2 == nil {
			return user{Name: name, UID: uid, GID: gid, Home: f[5], Shell: f[6]}, true
		}
	}
	return user{}, false
}

// parseGroups finds in the text of group(5) the groups that list a user.
func parseGroups(text, name string) []int {
	var gids []int
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 4 || !slices.Contains(strings.Split(f[3], ","), name) {
			continue
		}
		if gid, err := strconv.Atoi(f[2]); err == nil {
			gids = append(gids, gid)
		}
	}
	return gids
}

// AddUser makes a person's account.
func (m *Machine) AddUser(ctx context.Context, name, password string) error {
	if _, err := m.Output(ctx, "useradd", "--create-home", "--shell", "/bin/bash", name); err != nil {
		return err
	}
	return m.SetPassword(ctx, name, password)
}

// SetPassword changes an account's password.
func (m *Machine) SetPassword(ctx context.Context, name, password string) error {
	chpasswd := m.Command(ctx, "root", "chpasswd")
	chpasswd.Stdin = strings.NewReader(name + ":" + password + "\n")
	_, err := chpasswd.Output()
	return err
}

// AddSystemUsers makes accounts as sysusers.d(5) would: with a group of the
// same name, no home and no way to log in.
func (m *Machine) AddSystemUsers(ctx context.Context, names ...string) error {
	for _, name := range names {
		_, err := m.Output(ctx, "useradd", "--system", "--user-group", "--no-create-home",
			"--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name)
		if err != nil {
			return err
		}
	}
	return nil
}
