package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"goldm/test/tone"
)

// Where things of sound are.
const (
	runtimeDir   = "/run/carl"
	serverCookie = "/home/" + serverUser + "/bench-cookie"
	serverSocket = "/tmp/bench-pulse"
	clientConf   = "/home/" + serverUser + "/bench-client.conf"
	toneFile     = "/tmp/bench-tone.wav"
)

// soundWays are the ways of sound, and how each is opened.
func (l *lab) soundWays(ctx context.Context) (ways []*way, err error) {
	// Without the configuration programs and daemon agree on memory to share,
	// where both have the same user id, and are silent.
	remote := "PULSE_COOKIE=" + serverCookie + " PULSE_CLIENTCONFIG=" + clientConf + " PULSE_SERVER=%s exec sh"
	for _, o := range []struct {
		name string
		argv []string
	}{
		{local, []string{"sh"}},
		{tcp, []string{"ssh", target, fmt.Sprintf(remote, "tcp:"+l.Client.Address().String())}},
		{"ssh -R", []string{"ssh", "-R", serverSocket + ":" + runtimeDir + "/pulse/native", target, fmt.Sprintf(remote, "unix:"+serverSocket)}},
		{ours, []string{"ldm-session", target, "--", "exec sh"}},
	} {
		c := l.asClient(ctx, o.argv...)
		c.Env = append(c.Env, "XDG_RUNTIME_DIR="+runtimeDir)
		s, err := newShell(c)
		if err == nil {
			ways = append(ways, &way{name: o.name, shell: s})
			_, err = s.run(ctx, ":")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", o.name, err), closeAll(ways))
		}
	}
	return ways, nil
}

// measureSound plays tones on the server and hears them at the client.
func (l *lab) measureSound(ctx context.Context) (string, error) {
	if err := l.startSound(ctx); err != nil {
		return "", err
	}
	t := table{
		title: "Milliseconds until a tone is heard at the monitor of the client's sink (PulseAudio, a null sink): from the command `paplay`, and within a " +
			"stream that plays already (`pacat --latency-msec=50`), from the moment that its samples are written. The median, the least and the most of " +
			strconv.Itoa(l.runs) + ".",
		head: []string{"ms"},
	}
	against := comparison{ours, "ssh -R"}
	for _, s := range l.or(300*time.Microsecond, 20*time.Millisecond, 50*time.Millisecond) {
		if err := l.shape(s); err != nil {
			return "", err
		}
		ways, err := l.soundWays(ctx)
		if err != nil {
			return "", err
		}
		started, stream, err := l.soundOver(ctx, ways)
		_, removed := l.Server.Output(ctx, "rm", "-f", serverSocket)
		if err := errors.Join(err, closeAll(ways), removed); err != nil {
			return "", fmt.Errorf("%v: %w", s, err)
		}
		t.fillHead(ways, against)
		t.add(append(cells(s.String()+", paplay", started, ways), ratio(started[ours], started["ssh -R"]))...)
		t.add(append(cells("… within a stream", stream, ways), ratio(stream[ours], stream["ssh -R"]))...)
	}
	return t.String(), nil
}

func (l *lab) soundOver(ctx context.Context, ways []*way) (started, stream map[string]sample, err error) {
	started, stream = make(map[string]sample), make(map[string]sample)
	for range l.runs {
		for _, w := range ways {
			d, err := l.hearStart(ctx, w)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", w.name, err)
			}
			started[w.name] = append(started[w.name], milliseconds(d))
			if d, err = l.hearStream(ctx, w); err != nil {
				return nil, nil, fmt.Errorf("%s, stream: %w", w.name, err)
			}
			stream[w.name] = append(stream[w.name], milliseconds(d))
		}
	}
	return started, stream, nil
}

// startSound starts the client's daemon, with a sink that can be heard, and puts
// what the competition needs on the server.
func (l *lab) startSound(ctx context.Context) error {
	if _, err := l.Client.Output(ctx, "install", "-d", "-m", "700", "-o", clientUser, runtimeDir); err != nil {
		return err
	}
	daemon := l.asClient(ctx, "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
		"-L", "module-native-protocol-unix", "-L", "module-native-protocol-tcp",
		"-L", "module-null-sink sink_name=speaker rate=48000 channels=2")
	daemon.Env = append(daemon.Env, "XDG_RUNTIME_DIR="+runtimeDir)
	if err := daemon.Start(); err != nil {
		return err
	}
	err := until(ctx, "the sound daemon is up", func() bool {
		_, err := l.Client.Stat(runtimeDir + "/pulse/native")
		return err == nil
	})
	if err != nil {
		return err
	}
	cookie, err := l.Client.ReadFile("/home/" + clientUser + "/.config/pulse/cookie")
	if err != nil {
		return err
	}
	wav := tone.WAV(tone.Make(440, 500*time.Millisecond))
	return errors.Join(
		l.Server.WriteFile(serverCookie, cookie, 0o644),
		l.Server.WriteFile(clientConf, []byte("enable-shm=no\nenable-memfd=no\n"), 0o644),
		l.Server.WriteFile(toneFile, wav, 0o644),
		l.Client.WriteFile(toneFile, wav, 0o644),
	)
}

// ear records the client's sink, and knows when each sample was there.
type ear struct {
	mu    sync.Mutex
	heard chan time.Time // when a tone began
	tone  bool
	last  time.Time // when there was sound
	any   chan struct{}
}

const (
	loud    = 3000                   // of a sample of a tone of half the full loudness
	silence = 100 * time.Millisecond // that ends a tone
)

func (e *ear) Write(p []byte) (int, error) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.any != nil {
		close(e.any)
		e.any = nil
	}
	samples := tone.Samples(p)
	for i, s := range samples {
		if s < loud && s > -loud {
			continue
		}
		// The last sample of p was there now, the others before it.
		at := now.Add(-time.Duration(len(samples)-i) * time.Second / tone.Rate)
		if !e.tone || at.Sub(e.last) > silence {
			e.tone = true
			select {
			case e.heard <- at:
			default:
			}
		}
		e.last = at
	}
	return len(p), nil
}

// listen records while f runs, and returns when the first tone was heard.
func (l *lab) listen(ctx context.Context, f func() error) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	recorder := l.asClient(ctx, "parec", "--device=speaker.monitor", "--latency-msec=5", "--raw", "--format=s16le", "--channels=1", fmt.Sprintf("--rate=%d", tone.Rate))
	recorder.Env = append(recorder.Env, "XDG_RUNTIME_DIR="+runtimeDir)
	e := &ear{heard: make(chan time.Time, 1), any: make(chan struct{})}
	up := e.any
	recorder.Stdout = e
	if err := recorder.Start(); err != nil {
		return time.Time{}, err
	}
	defer recorder.Wait()
	defer cancel()
	select {
	case <-up:
	case <-ctx.Done():
		return time.Time{}, errors.New("the recorder does not run")
	}
	if err := f(); err != nil {
		return time.Time{}, err
	}
	select {
	case at := <-e.heard:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, errors.New("nothing was heard")
	}
}

// hearStart returns how long a program takes to be heard.
func (l *lab) hearStart(ctx context.Context, w *way) (time.Duration, error) {
	var begin time.Time
	at, err := l.listen(ctx, func() error {
		begin = time.Now()
		return w.shell.begin("paplay " + toneFile + " </dev/null")
	})
	if err != nil {
		return 0, err
	}
	_, err = w.shell.run(ctx, ":") // it has ended
	return at.Sub(begin), err
}

// hearStream returns how long a sample takes within a stream.
func (l *lab) hearStream(ctx context.Context, w *way) (time.Duration, error) {
	const begun = "/tmp/bench-begun"
	at, err := l.listen(ctx, func() error {
		return w.shell.begin(fmt.Sprintf("%s tone %s </dev/null | pacat --raw --format=s16le --channels=1 --rate=%d --latency-msec=50", self, begun, tone.Rate))
	})
	if err != nil {
		return 0, err
	}
	out, err := w.shell.run(ctx, "cat "+begun)
	if err != nil {
		return 0, err
	}
	nanoseconds, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return 0, err
	}
	return at.Sub(time.Unix(0, nanoseconds)), nil
}

// runTone writes two seconds of silence and then a tone, as fast as time goes
// by, and to a file when the tone began.
func runTone(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: tone FILE")
	}
	const quiet, length, piece = 2 * time.Second, 300 * time.Millisecond, 5 * time.Millisecond
	wav := tone.WAV(append(make([]int16, int(quiet.Seconds()*tone.Rate)), tone.Make(440, length)...))
	raw := wav[44:]
	const size = int(piece * tone.Rate * 2 / time.Second)
	ticker := time.NewTicker(piece)
	defer ticker.Stop()
	for at := 0; at+size <= len(raw); at += size {
		if at == int(quiet.Seconds()*tone.Rate)*2 {
			if err := os.WriteFile(args[0], fmt.Appendln(nil, time.Now().UnixNano()), 0o644); err != nil {
				return err
			}
		}
		if _, err := os.Stdout.Write(raw[at : at+size]); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
