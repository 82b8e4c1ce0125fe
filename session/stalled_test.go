package session_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/heap"
	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
	"goldm/session"
	"goldm/session/internal/sshtest"
	sessionx11 "goldm/session/x11"
)

func TestMain(m *testing.M) {
	if os.Getenv("GOLDM_TEST_CARRIER") == "" {
		os.Exit(m.Run())
	}
	if err := carrier(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// carrier is a worker in a process of its own, whose memory is nobody else's: it runs a command that has a
// display, says what it took at most whenever it is asked, and ends with the command.
func carrier() error {
	heap.Tend()
	port, _ := strconv.Atoi(os.Getenv("GOLDM_TEST_PORT"))
	number, _ := strconv.Atoi(os.Getenv("GOLDM_TEST_DISPLAY"))
	most, _ := strconv.ParseUint(os.Getenv("GOLDM_TEST_HEAP"), 10, 64)
	cookie, _ := hex.DecodeString(os.Getenv("GOLDM_TEST_COOKIE"))
	t := &testing.T{}
	config := configFor(t, port, os.Getenv("GOLDM_TEST_KNOWN_HOSTS"))
	config.Limits.Heap = most
	config.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	client, err := session.Dial(context.Background(), config)
	if err != nil {
		return err
	}
	defer client.Close()
	display := &sessionx11.Display{Number: number, AuthName: xauth.MITMagicCookie, AuthData: cookie}
	process := client.Command(session.Cmd{Line: "desktop", X11: display})
	if err := process.Start(context.Background()); err != nil {
		return err
	}
	go func() {
		for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
			status, _ := os.ReadFile("/proc/self/status")
			_, peak, _ := strings.Cut(string(status), "VmHWM:")
			fmt.Println(strings.Fields(peak)[0])
		}
	}()
	return process.Wait()
}

// carried is a carrier of somebody's attack.
type carried struct {
	t      *testing.T
	cmd    *exec.Cmd
	ask    io.Writer
	answer *bufio.Scanner
	log    *strings.Builder // once it has ended
}

// carry starts a carrier for a server and a display.
func carry(t *testing.T, server *sshtest.Server, display *xtest.Server, most uint64) *carried {
	t.Helper()
	c := &carried{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0]), log: new(strings.Builder)}
	c.cmd.Env = append(os.Environ(), "GOLDM_TEST_CARRIER=1", "GOLDM_TEST_PORT="+strconv.Itoa(server.Port),
		"GOLDM_TEST_KNOWN_HOSTS="+server.KnownHosts(), "GOLDM_TEST_DISPLAY="+strconv.Itoa(display.Number),
		"GOLDM_TEST_COOKIE="+hex.EncodeToString(display.Cookie), "GOLDM_TEST_HEAP="+strconv.FormatUint(most, 10))
	c.cmd.Stderr = io.MultiWriter(c.log, t.Output())
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.ask, c.answer = in, bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// peak is what the carrier has taken at most so far, in MiB.
func (c *carried) peak() int {
	c.t.Helper()
	fmt.Fprintln(c.ask, "memory?")
	if !c.answer.Scan() {
		c.t.Fatal("the carrier has ended")
	}
	n, err := strconv.Atoi(c.answer.Text())
	if err != nil {
		c.t.Fatal(err)
	}
	return n >> 10
}

// program is an X program at the far end of a channel.
type program struct {
	ssh.Channel
	root, context uint32 // a window and a graphics context
}

const order = x11.LittleEndian

func openProgram(e *sshtest.Exec) (*program, error) {
	channel, err := e.OpenX11()
	if err != nil {
		return nil, err
	}
	cookie, err := hex.DecodeString(e.X11.Cookie)
	if err != nil {
		return nil, err
	}
	setup := x11.SetupRequest{Order: order, Major: x11.ProtocolMajor, AuthName: e.X11.Protocol, AuthData: cookie}
	if _, err := channel.Write(setup.Append(nil)); err != nil {
		return nil, err
	}
	head := make([]byte, x11.SetupAnswerHead)
	if _, err := io.ReadFull(channel, head); err != nil {
		return nil, err
	}
	answer := append(head, make([]byte, x11.SetupAnswerSize(order, head)-len(head))...)
	if _, err := io.ReadFull(channel, answer[len(head):]); err != nil {
		return nil, err
	}
	if answer[0] != x11.SetupAccepted {
		return nil, errors.New(x11.RefusalReason(answer))
	}
	screen := answer[40+x11.Pad(int(order.Uint16(answer[24:])))+8*int(answer[29]):]
	p := &program{Channel: channel, root: order.Uint32(screen), context: order.Uint32(answer[12:]) | 1}
	create := append(order.AppendUint32(order.AppendUint32(nil, p.context), p.root), 0, 0, 0, 0)
	_, err = p.Write(coreRequest(55, 0, create))
	return p, err
}

// coreRequest is a request of the core protocol.
func coreRequest(major, data byte, body []byte) []byte {
	return append(order.AppendUint16([]byte{major, data}, uint16(1+len(body)/4)), body...)
}

const (
	grabServer    = 36
	ungrabServer  = 37
	getInputFocus = 43
	putImage      = 72
)

// roundTrip waits until the X server has dealt with what the program said.
func (p *program) roundTrip() error {
	if _, err := p.Write(coreRequest(getInputFocus, 0, nil)); err != nil {
		return err
	}
	_, err := io.ReadFull(p, make([]byte, x11.AnswerHead))
	return err
}

// picture is a request of 200 kB.
func (p *program) picture() []byte {
	const width, height = 500, 100
	body := order.AppendUint32(order.AppendUint32(nil, p.root), p.context)
	body = order.AppendUint16(order.AppendUint16(body, width), height)
	body = append(order.AppendUint32(body, 0), 0, 24, 0, 0)
	return coreRequest(putImage, 2, append(body, make([]byte, 4*width*height)...))
}

// openAll opens programs, of which the first has the X server to itself from then on.
func openAll(e *sshtest.Exec, n int) ([]*program, error) {
	var all []*program
	for range n {
		p, err := openProgram(e)
		if err == nil {
			err = p.roundTrip()
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if _, err := all[0].Write(coreRequest(grabServer, 0, nil)); err != nil {
		return nil, err
	}
	return all, all[0].roundTrip()
}

// attack runs an attack by the programs of a session, and then checks what its worker has logged.
func attack(t *testing.T, most uint64, programs func(e *sshtest.Exec, c *carried) error, logged string) {
	xserver := xtest.Start(t, "-screen", "0", "640x480x24")
	carriers, result := make(chan *carried, 1), make(chan error, 1)
	server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
		result <- programs(e, <-carriers)
		e.Exit(0)
	}})
	c := carry(t, server, xserver, most)
	carriers <- c
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	select {
	case err := <-result:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the attack does not end")
	}
	if err := <-ended; err != nil {
		t.Errorf("the session ended: %v", err)
	}
	if !strings.Contains(c.log.String(), logged) || !strings.Contains(c.log.String(), "user="+sshtest.User) {
		t.Errorf("no line in the log says %q and names the user", logged)
	}
}

// 240 programs draw while one has the X server to itself. The oldest of them go on when it lets go, the younger
// ones are closed before they take the client's memory.
func TestAttackFullWindows(t *testing.T) {
	const (
		all      = 240
		survive  = 32                 // StalledLimit
		mostPeak = 250 * memoryFactor // MiB: the windows, twice for garbage, and both buffers of each program
	)
	attack(t, 0, func(e *sshtest.Exec, c *carried) error {
		programs, err := openAll(e, all+1)
		if err != nil {
			return err
		}
		var drawing sync.WaitGroup
		results := make(chan bool, all)
		for _, p := range programs[1:] {
			drawing.Go(func() {
				for range 20 {
					if _, err := p.Write(p.picture()); err != nil {
						results <- false
						return
					}
				}
				results <- p.roundTrip() == nil
			})
		}
		defer drawing.Wait()
		defer programs[0].Close()
		for range all - survive {
			if <-results {
				return errors.New("a program's pictures were shown while another one had the X server")
			}
		}
		peak := c.peak()
		t.Logf("the worker took %d MiB", peak)
		if peak > mostPeak {
			t.Errorf("the worker took %d MiB, more than %d", peak, mostPeak)
		}
		if _, err := programs[0].Write(coreRequest(ungrabServer, 0, nil)); err != nil {
			return err
		}
		for range survive {
			if !<-results {
				return errors.New("one of the oldest was closed too")
			}
		}
		return nil
	}, "windows of programs that wait")
}

// Programs that are not too many send one byte at a time, for each of which x/crypto keeps fifty.
func TestAttackSmallPackets(t *testing.T) {
	const (
		some     = 8
		inUse    = 24 << 20
		mostPeak = 90 * memoryFactor // MiB
	)
	attack(t, inUse, func(e *sshtest.Exec, c *carried) error {
		programs, err := openAll(e, some+1)
		if err != nil {
			return err
		}
		var drawing sync.WaitGroup
		for _, p := range programs[1:] {
			drawing.Go(func() {
				requests := bytes.Repeat(coreRequest(x11.NoOperation, 0, nil), 1<<17)
				if _, err := p.Write(requests); err != nil { // fills what is ahead of the window
					return
				}
				for i := range requests {
					if _, err := p.Write(requests[i : i+1]); err != nil {
						return
					}
				}
			})
		}
		drawing.Wait()
		peak := c.peak()
		t.Logf("the worker took %d MiB", peak)
		if peak > mostPeak {
			t.Errorf("the worker took %d MiB, more than %d", peak, mostPeak)
		}
		return programs[0].roundTrip()
	}, "memory in use while programs wait")
}
