package filter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/internal/x11/display"
	"goldm/internal/xauth"
	"goldm/ldm/wire"
	"goldm/session/x11"
)

// acceptPause is how long a lack of descriptors or memory may take to pass until
// the next program is taken.
const acceptPause = 100 * time.Millisecond

// filter lets programs of one user in.
type filter struct {
	log       *slog.Logger
	uid       int
	forwarder *x11.Forwarder
	listeners []*net.UnixListener
	tasks     sync.WaitGroup
}

// Run lets programs in as ldm says over conn, and closes it. It returns nil when
// ldm has hung up, or stop has ended; then no program is connected any more.
func Run(stop context.Context, conn *wire.Conn, log *slog.Logger) error {
	defer conn.Close()
	if err := privs.Conceal(); err != nil { // before the cookies come
		return err
	}
	ctx, cancel := context.WithCancel(stop)
	defer cancel()
	context.AfterFunc(ctx, func() { conn.Close() }) // which ends what waits for ldm
	f, err := admit(conn, log)
	if stop.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("message from ldm: %w", err)
	}
	defer f.close(cancel)
	for _, l := range f.listeners {
		f.tasks.Go(func() { f.accept(ctx, l) })
	}
	if err := conn.Send(&wire.Admitting{}); err != nil {
		return fmt.Errorf("message to ldm: %w", err)
	}
	conn.Receive() // nothing more comes until ldm hangs up
	return nil
}

// admit waits for ldm to say whom to let in.
func admit(conn *wire.Conn, log *slog.Logger) (*filter, error) {
	message, err := conn.Receive()
	if err != nil {
		return nil, err
	}
	m, ok := message.(*wire.Admit)
	if !ok {
		wire.CloseFiles(message)
		return nil, fmt.Errorf("%T where it was to say whom to let in", message)
	}
	defer wire.CloseFiles(m)
	to, err := display.Parse(m.Display)
	if err != nil {
		return nil, err
	}
	to.AuthName, to.AuthData = xauth.MITMagicCookie, m.Cookie
	if len(m.Shown) == 0 {
		return nil, errors.New("there is no cookie for programs")
	}
	f := &filter{log: log, uid: m.UID}
	for _, file := range m.Listeners {
		l, err := net.FileListener(file)
		if err != nil {
			return nil, errors.Join(err, f.closeListeners())
		}
		listener, ok := l.(*net.UnixListener)
		if !ok {
			return nil, errors.Join(errors.New("a listener is no Unix socket"), l.Close(), f.closeListeners())
		}
		f.listeners = append(f.listeners, listener)
	}
	f.forwarder, err = x11.NewLocalForwarder(x11.Config{Display: to, Log: log, Cookie: m.Shown})
	return f, err
}

func (f *filter) closeListeners() (err error) {
	for _, l := range f.listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// close ends all programs' connections and waits.
func (f *filter) close(cancel context.CancelFunc) {
	cancel()
	f.closeListeners()
	f.forwarder.Close()
	f.tasks.Wait()
}

// accept takes programs until the listener is closed.
func (f *filter) accept(ctx context.Context, l *net.UnixListener) {
	for ctx.Err() == nil {
		conn, err := l.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			f.log.Warn("no program can be taken for now", "err", err)
			pause(ctx, acceptPause)
			continue
		}
		if err := f.check(conn); err != nil {
			f.log.Warn("X client refused", "rule", "only the login's local user may connect", "err", err)
			conn.Close()
			continue
		}
		f.tasks.Go(func() { f.forwarder.ServeLocal(ctx, conn) })
	}
}

// check returns why a connection is not the local user's: an abstract socket has
// no mode that would say whom it is for.
func (f *filter) check(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var fault error
	err = raw.Control(func(fd uintptr) { cred, fault = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, fault); err != nil {
		return err
	}
	if int(cred.Uid) != f.uid {
		return fmt.Errorf("user %d", cred.Uid)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
