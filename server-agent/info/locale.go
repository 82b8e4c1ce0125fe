package info

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"time"

	"goldm/internal/text"
)

const (
	// localeLimit is how long `locale -a` may take. With all of Debian's locales it
	// takes 20 ms.
	localeLimit = 5 * time.Second
	// maxLocales bounds what it may print, in bytes. Those are 12 KB.
	maxLocales = 256 << 10
	// maxLocale bounds one name.
	maxLocale = 64
	// keepLocales is how long a list counts: it changes when an administrator changes it.
	keepLocales = time.Minute
)

// locales is what was found last.
type locales struct {
	list []string
	err  error
	at   time.Time
}

// languages lists the UTF-8 locales that there are, the server's own first.
func (s *Source) languages(ctx context.Context, note func(error)) []string {
	all, err := s.keptLocales(ctx)
	if err != nil {
		note(fmt.Errorf("locales: %w", err))
	}
	own, where, err := s.ownLocale()
	if err != nil {
		note(err)
	}
	if own == "" || err != nil {
		return all
	}
	at := slices.Index(all, own)
	if at < 0 {
		if !plain(own) {
			note(fmt.Errorf("%s: the locale %s does not exist on this server; locale -a lists those that do", where, own))
		}
		return all
	}
	return slices.Concat([]string{own}, all[:at], all[at+1:])
}

// plain tells whether a locale is the one without a language, which has no UTF-8.
func plain(locale string) bool { return locale == "C" || locale == "POSIX" }

// keptLocales asks for the locales, unless that was done a short while ago.
func (s *Source) keptLocales(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.locales; !l.at.IsZero() && time.Since(l.at) < keepLocales {
		return l.list, l.err
	}
	out, err := s.Locales(ctx)
	if ctx.Err() != nil {
		return []string{}, ctx.Err() // and the next one asks again
	}
	s.locales = locales{list: parseLocales(out), err: err, at: time.Now()}
	return s.locales.list, err
}

// localeA runs `locale -a`.
func localeA(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, localeLimit)
	defer cancel()
	out := &limited{room: maxLocales}
	c := exec.CommandContext(ctx, "locale", "-a")
	c.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	c.Stdout = out
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("locale -a: %w", err)
	}
	return out.Bytes(), nil
}

// limited takes no more than there is room for.
type limited struct {
	bytes.Buffer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > l.room {
		return 0, fmt.Errorf("more than %d bytes", l.room)
	}
	return l.Buffer.Write(p)
}

// parseLocales picks the UTF-8 locales of what `locale -a` prints, in order.
func parseLocales(out []byte) []string {
	list := []string{}
	for line := range strings.Lines(string(out)) {
		if name, ok := canonical(strings.TrimSpace(line)); ok {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// canonical writes a UTF-8 locale as people do: locale -a has de_DE.utf8, or
// ca_ES.utf8@valencia.
func canonical(name string) (string, bool) {
	language, rest, _ := strings.Cut(name, ".")
	codeset, modifier, modified := strings.Cut(rest, "@")
	if codeset = strings.ToLower(codeset); codeset != "utf8" && codeset != "utf-8" {
		return "", false
	}
	if modified {
		modifier = "@" + modifier
	}
	if len(name) > maxLocale || !word(language) || modified && !word(modifier[1:]) {
		return "", false
	}
	return language + ".UTF-8" + modifier, true
}

// word tells whether s is made of the letters that names of languages are made of.
func word(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

// ownLocale returns the server's own locale and where that is set: Debian's file or
// systemd's (locale.conf(5)). It is empty where neither sets one.
func (s *Source) ownLocale() (name, where string, err error) {
	for _, file := range []string{"etc/default/locale", "etc/locale.conf"} {
		content, err := s.read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if lang := assignments(content)["LANG"]; lang != "" {
			if name, ok := canonical(lang); ok {
				return name, "/" + file, nil
			}
			return text.Line(lang, maxLocale), "/" + file, nil
		}
	}
	return "", "", nil
}
