package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"
)

// play is one run of the demo without a display.
type play struct {
	*stage
	screen   *screen
	pictures album
	last     time.Time
}

// playAlone logs in and out like a person and leaves pictures in a folder.
func playAlone(ctx context.Context, bin, folder string) (err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := ownLikeParent(folder); err != nil {
		return err
	}
	begin := time.Now()
	s, err := newStage(ctx, bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(), s.writeLogs(folder)) }()
	fmt.Printf("%6.2f s  client and server up, with sshd and the user %s\n", time.Since(begin).Seconds(), userName)
	seat, err := s.start(ctx, "Xvfb -screen 0 1280x800x24")
	if err != nil {
		return err
	}
	p := &play{stage: s, pictures: make(album), last: s.begin}
	err = p.run(seat)
	err = errors.Join(err, p.pictures.write(folder))
	if err != nil {
		return fmt.Errorf("%w\nwhat ldm said is in %s/ldm.log", err, folder)
	}
	fmt.Printf("pictures: %s/{%s}.png\n", folder, strings.Join([]string{greeterPicture, desktopPicture, clientPicture, againPicture}, ","))
	return nil
}

// run plays the scenes. Times count from the start of ldm.
func (p *play) run(ctx context.Context) error {
	scenes := []struct {
		done string
		play func(context.Context) error
	}{
		{"X server up", p.findScreen},
		{"greeter painted", p.greeter(greeterPicture)},
		{"name and password typed", p.logIn},
		{"authenticated", p.authenticated},
		{"login screen gone", p.screenOver},
		{"session's X server up", p.findScreen},
		{"first window of the desktop", p.firstWindow},
		{"terminal on the desktop", p.desktop},
		{"program of the client", p.clientProgram},
		{"logged out", p.logOut},
		{"X server up again", p.findScreen},
		{"greeter painted again", p.greeter(againPicture)},
	}
	for _, scene := range scenes {
		if err := scene.play(ctx); err != nil {
			return fmt.Errorf("before %q: %w", scene.done, err)
		}
		p.step(scene.done)
	}
	return p.pictures.check()
}

// step prints what has been reached, when, and how long it took.
func (p *play) step(what string) {
	now := time.Now()
	fmt.Printf("%6.2f s  %-28s + %.2f s\n", now.Sub(p.begin).Seconds(), what, now.Sub(p.last).Seconds())
	p.last = now
}

func (p *play) findScreen(ctx context.Context) error {
	return until(ctx, "an X server that answers", func(ctx context.Context) (bool, error) {
		var err error
		p.screen, err = findScreen(ctx, p.Client)
		return p.screen != nil, err
	})
}

// greeter returns a scene that waits for the login screen and takes its picture.
func (p *play) greeter(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := p.waitWindow(ctx, "--name", "User name"); err != nil {
			return err
		}
		return p.take(ctx, name)
	}
}

func (p *play) take(ctx context.Context, name string) error {
	picture, err := p.screen.settled(ctx)
	if err != nil {
		return err
	}
	p.pictures[name] = picture
	return nil
}

// waitWindow waits for a window.
func (p *play) waitWindow(ctx context.Context, by, pattern string) error {
	return until(ctx, "a window with "+strings.TrimLeft(by, "-")+" "+pattern, func(ctx context.Context) (bool, error) {
		return p.screen.has(ctx, by, pattern)
	})
}

// logIn types the user's name and, when the server has asked, the password.
func (p *play) logIn(ctx context.Context) error {
	if err := p.screen.typeLine(ctx, userName); err != nil {
		return err
	}
	if err := p.waitWindow(ctx, "--name", "[Pp]assword"); err != nil {
		return err
	}
	return p.screen.typeLine(ctx, password)
}

func (p *play) authenticated(ctx context.Context) error {
	return until(ctx, "the server's word that it let us in", func(context.Context) (bool, error) {
		return p.sshd.has(" for " + userName + " from " + p.Client.Address().String()), nil
	})
}

func (p *play) firstWindow(ctx context.Context) error {
	return p.waitWindow(ctx, "--class", "TaskBar")
}

// desktop waits for the terminal and types into it, as proof of where it runs.
func (p *play) desktop(ctx context.Context) error {
	if err := p.waitWindow(ctx, "--class", "XTerm"); err != nil {
		return err
	}
	if _, err := p.screen.settled(ctx); err != nil {
		return err
	}
	const proof = "/tmp/typed"
	if err := p.screen.typeLine(ctx, "id; hostname | tee "+proof); err != nil {
		return err
	}
	err := until(ctx, "the terminal's answer", func(context.Context) (bool, error) { return exists(p.Server, proof) })
	if err != nil {
		return err
	}
	return p.take(ctx, desktopPicture)
}

// clientProgram has the desktop start a terminal on the client, and types into it what
// only a program there, with the user's home on the server, can do.
func (p *play) clientProgram(ctx context.Context) error {
	const title, proof = "on the client", "typed-on-the-client"
	if err := p.screen.typeLine(ctx, "ltsp-localapps xterm -geometry 72x14+420+420 -T '"+title+"'"); err != nil {
		return err
	}
	if err := p.waitWindow(ctx, "--name", title); err != nil {
		return err
	}
	if _, err := p.screen.settled(ctx); err != nil {
		return err
	}
	if err := p.screen.typeLine(ctx, "id -un; pwd; hostname | tee "+proof); err != nil {
		return err
	}
	err := until(ctx, "a file that the client's program wrote at home", func(context.Context) (bool, error) {
		return exists(p.Server, path.Join("/home", userName, proof))
	})
	if err != nil {
		return err
	}
	if err := p.take(ctx, clientPicture); err != nil {
		return err
	}
	if err := p.screen.typeLine(ctx, "exit"); err != nil {
		return err
	}
	return until(ctx, "the end of the client's program", func(ctx context.Context) (bool, error) {
		there, err := p.screen.has(ctx, "--name", title)
		return !there, err
	})
}

// screenOver waits until the X server is gone: the login screen and the session have one each.
func (p *play) screenOver(ctx context.Context) error {
	return until(ctx, "the end of the X server", func(context.Context) (bool, error) { return p.screen.over() })
}

// logOut ends the session from the terminal, and waits until the X server that
// showed it is gone.
func (p *play) logOut(ctx context.Context) error {
	if err := p.screen.typeLine(ctx, "icesh logout"); err != nil {
		return err
	}
	return p.screenOver(ctx)
}
