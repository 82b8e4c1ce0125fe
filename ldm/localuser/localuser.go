package localuser

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"goldm/internal/privs"
)

// RecordDir is where nss-systemd(8) looks for records of users.
const RecordDir = "/run/userdb"

// Config says where users come from and where they are written down.
type Config struct {
	Range   Range
	RunDir  string // of the boot; it outlives ldm
	Folders string // where each user has a folder, named by its number; root's own
	Records string // RecordDir
}

// User is a local user of this machine, for one login.
type User struct {
	privs.User
	Name string
	Dir  string // root's own, and passable for all; it goes with the user

	records string
}

// Allot makes a user for the login of this name, as typed.
func Allot(ctx context.Context, c Config, login string) (*User, error) {
	uid, err := next(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("local user: %w", err)
	}
	free := false
	if valid(login) {
		taken, err := known(ctx, login)
		if err != nil {
			return nil, fmt.Errorf("local user: %w", err)
		}
		free = !taken
	}
	u := newUser(c, uid, chooseName(login, uid, free))
	err = u.write()
	if errors.Is(err, fs.ErrExist) && u.Name == login { // another seat was faster
		err = u.Release()
		u = newUser(c, uid, chooseName(login, uid, false))
		err = errors.Join(err, u.write())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local user: %w", err), u.Release())
	}
	return u, nil
}

func newUser(c Config, uid int, name string) *User {
	return &User{
		User: privs.User{UID: uid, GID: uid}, Name: name,
		Dir: filepath.Join(c.Folders, strconv.Itoa(uid)), records: c.Records,
	}
}
