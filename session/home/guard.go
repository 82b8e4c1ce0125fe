package home

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"sync"
	"time"
)

// More types of packets.
const (
	typeOpen   = 3
	typeLstat  = 7
	typeRemove = 13
	typeStat   = 17
)

const (
	openForWriting = 2 // SSH_FXF_WRITE: section 6.3
	statusDenied   = 3 // SSH_FX_PERMISSION_DENIED

	// Mozilla's programs lock a profile by fcntl(2) on the first file, and say who
	// has it by the target of the second, a link that the next one removes
	// when it takes its owner for dead: nsProfileLock.cpp.
	lockFile = ".parentlock"
	lockLink = "lock"

	// stillBusy is how long an answer counts: who is refused asks ten times a second.
	stillBusy = 2 * time.Second

	maxLocks = 3 // at a time: each takes one of the ten channels that sshd allows

	// maxCarried bounds a packet that is carried, in bytes; OpenSSH's is 256 KiB.
	maxCarried = 1 << 20

	// maxAsking bounds the packets about lock files that wait for an answer, or for another one. The next ones wait in the socket.
	maxAsking = 32

	// maxOpening bounds the openings of lock files that the server has not answered; more are refused.
	maxOpening = 1024

	// maxForeign bounds the folders that other computers are known to have. The oldest is forgotten, and asked for again.
	maxForeign = 256
)

// ErrBusy is what a Lock returns for a file that another computer has locked.
var ErrBusy = errors.New("another computer has it locked")

// Lock locks a file on the server, for programs there and those of other
// clients, until release is called, which returns when it is free again. Who has
// it locked already is another computer, too.
type Lock func(ctx context.Context, file string) (release func(), err error)

// guard carries the packets of a folder, and locks on the server what a program
// locks here: sshfs's locks do not leave the client.
type guard struct {
	ctx     context.Context
	lock    Lock
	log     *slog.Logger
	toHere  *stream
	toThere *stream
	asking  sync.WaitGroup
	slots   chan struct{} // holds one for each packet that waits here

	mu      sync.Mutex
	passing map[string]chan struct{} // by file, its last opening that has not gone on; closed after that
	turns   map[string]chan struct{} // files that are being locked; closed after that
	locks   map[string]*held         // by file
	leaving map[string]*held         // those that are being released
	opening map[uint32]*held         // by the request that the server has not answered
	handles map[string]*held         // by the server's handle
	foreign map[string]time.Time     // when another computer was last known to have a folder
	refuse  time.Duration            // for so long without asking again
}

// held is a lock on the server.
type held struct {
	file    string
	users   int // files open here, or about to be
	release func()
	free    chan struct{} // closed once it is released
}

// stream takes whole packets from several goroutines.
type stream struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func newStream(w io.Writer) *stream { return &stream{w: bufio.NewWriterSize(w, 64<<10)} }

// write writes a packet; it may stay in the buffer where more follows.
func (s *stream) write(p packet, more bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := writePacket(s.w, p); err != nil || more {
		return err
	}
	return s.w.Flush()
}

func newGuard(ctx context.Context, lock Lock, here, there io.Writer, log *slog.Logger) *guard {
	return &guard{
		ctx: ctx, lock: lock, log: log, toHere: newStream(here), toThere: newStream(there),
		passing: make(map[string]chan struct{}), turns: make(map[string]chan struct{}), locks: make(map[string]*held), leaving: make(map[string]*held),
		opening: make(map[uint32]*held), handles: make(map[string]*held), foreign: make(map[string]time.Time), refuse: stillBusy,
		slots: make(chan struct{}, maxAsking),
	}
}

// close releases what is locked. Neither carry may run any more.
func (g *guard) close() {
	g.asking.Wait()
	for _, h := range g.locks {
		h.release()
	}
}

// carry passes packets on until either side ends; look sees each first, and tells
// whether it has been seen to.
func carry(from io.Reader, to *stream, look func(packet) bool) error {
	r := bufio.NewReaderSize(from, 64<<10)
	var buffer bytes.Buffer
	for {
		var length [4]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(length[:])
		if n < 5 || n > maxCarried {
			return fmt.Errorf("an SFTP packet of %d bytes", n)
		}
		buffer.Reset()
		if copied, err := io.CopyN(&buffer, r, int64(n)); err != nil {
			return fmt.Errorf("%d of %d bytes of a packet: %w", copied, n, io.ErrUnexpectedEOF)
		}
		p := packet(buffer.Bytes())
		if look(p) {
			continue
		}
		if err := to.write(p, r.Buffered() > 0); err != nil {
			return err
		}
	}
}

// request looks at a packet on its way to the server.
func (g *guard) request(p packet) bool {
	id, body := binary.BigEndian.Uint32(p[1:]), p[5:]
	switch p[0] {
	case typeOpen:
		file, rest, err := cutString(body)
		writes := len(rest) >= 4 && binary.BigEndian.Uint32(rest)&openForWriting != 0
		if err != nil || !writes || path.Base(file) != lockFile || len(p) > maxPacket {
			return false
		}
		p, done := bytes.Clone(p), g.pass(file)
		g.wait(done, func() { g.open(id, file, p) })
		return true
	case typeLstat, typeStat:
		file, _, err := cutString(body)
		return err == nil && path.Base(file) == lockFile && g.follow(file, p)
	case typeRemove:
		file, _, err := cutString(body)
		if err != nil || path.Base(file) != lockLink || !g.isForeign(path.Dir(file)) {
			return false
		}
		g.deny(id)
		return true
	case typeClose:
		if handle, _, err := cutString(body); err == nil {
			defer g.closed(handle)
		}
	}
	return false
}

// wait does something that has to wait, and then calls done. It waits itself while too much else does.
func (g *guard) wait(done, do func()) {
	select {
	case g.slots <- struct{}{}:
	case <-g.ctx.Done():
		done()
		return
	}
	g.asking.Go(func() {
		defer func() { <-g.slots }()
		defer done()
		do()
	})
}

// pass begins an opening, which goes on with done.
func (g *guard) pass(file string) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	passed := make(chan struct{})
	g.passing[file] = passed
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.passing[file] == passed {
			delete(g.passing, file)
		}
		close(passed)
	}
}

// follow keeps a question for a file behind its opening, and tells whether it
// has to. sshfs asks right behind the packet that opens, without waiting, and has
// the opening fail where the answer is that there is no such file: sshfs.c,
// sshfs_open_common. A new profile would not be locked.
func (g *guard) follow(file string, p packet) bool {
	g.mu.Lock()
	passed := g.passing[file]
	g.mu.Unlock()
	if passed == nil || len(p) > maxPacket {
		return false
	}
	p = bytes.Clone(p)
	g.wait(func() {}, func() {
		<-passed
		g.toThere.write(p, false)
	})
	return true
}

// answer looks at a packet on its way from the server.
func (g *guard) answer(p packet) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := binary.BigEndian.Uint32(p[1:])
	h := g.opening[id]
	if h == nil {
		return false
	}
	delete(g.opening, id)
	if handle, _, err := cutString(p[5:]); p[0] == typeHandle && err == nil && g.handles[handle] == nil {
		g.handles[handle] = h
	} else {
		g.drop(h)
	}
	return false
}

// open has the server open a lock file once it is locked there, or refuses.
func (g *guard) open(id uint32, file string, p packet) {
	h, err := g.acquire(file)
	if errors.Is(err, ErrBusy) {
		g.deny(id)
		return
	}
	if err != nil {
		g.log.Warn("a profile is not locked on the server", "file", file, "err", err)
	}
	if h != nil && !g.note(id, h) {
		g.log.Warn("the server does not answer: a profile is not opened", "file", file)
		g.deny(id)
		return
	}
	g.toThere.write(p, false) // an error ends the other direction
}

// note notes a request that opens a lock file, unless the server leaves too many unanswered.
func (g *guard) note(id uint32, h *held) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.opening) >= maxOpening || g.opening[id] != nil {
		g.drop(h)
		return false
	}
	g.opening[id] = h
	return true
}

// acquire locks a file, or counts another user of its lock. One at a time does so
// for a file, and none before the last lock of it is gone: the server would take
// either for another computer.
func (g *guard) acquire(file string) (*held, error) {
	h, done, err := g.claim(file)
	if h != nil || err != nil {
		return h, err
	}
	defer done()
	release, err := g.lock(g.ctx, file)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remember(file, errors.Is(err, ErrBusy))
	if err != nil {
		return nil, err
	}
	h = &held{file: file, users: 1, release: release, free: make(chan struct{})}
	g.locks[file] = h
	return h, nil
}

// claim waits until nobody else locks a file or releases it. Where it is not
// locked then, the caller may, until done.
func (g *guard) claim(file string) (h *held, done func(), err error) {
	for {
		g.mu.Lock()
		wait := g.turns[file]
		if leaving := g.leaving[file]; leaving != nil {
			wait = leaving.free
		}
		if wait == nil {
			defer g.mu.Unlock()
			if h, err := g.known(file); h != nil || err != nil {
				return h, nil, err
			}
			return nil, g.take(file), nil
		}
		g.mu.Unlock()
		select {
		case <-wait:
		case <-g.ctx.Done():
			return nil, nil, g.ctx.Err()
		}
	}
}

// take begins a turn, which done ends. g.mu is held.
func (g *guard) take(file string) (done func()) {
	turn := make(chan struct{})
	g.turns[file] = turn
	return func() {
		g.mu.Lock()
		delete(g.turns, file)
		g.mu.Unlock()
		close(turn)
	}
}

// known says what needs no question: nothing where the server is to be asked.
// g.mu is held.
func (g *guard) known(file string) (*held, error) {
	if h := g.locks[file]; h != nil {
		h.users++
		return h, nil
	}
	if since := g.foreign[path.Dir(file)]; !since.IsZero() && time.Since(since) < g.refuse {
		return nil, ErrBusy
	}
	if g.lock == nil || len(g.locks) >= maxLocks {
		return nil, errors.New("too many are, or none can be")
	}
	return nil, nil
}

// remember keeps in mind who has a file's folder. g.mu is held.
func (g *guard) remember(file string, busy bool) {
	folder := path.Dir(file)
	if !busy {
		delete(g.foreign, folder)
		return
	}
	if g.foreign[folder].IsZero() {
		g.log.Info("a profile is in use on another computer", "file", file)
	}
	if len(g.foreign) >= maxForeign {
		g.forget()
	}
	g.foreign[folder] = time.Now()
}

// forget forgets the folder that was foreign longest ago. g.mu is held.
func (g *guard) forget() {
	oldest := ""
	for folder, since := range g.foreign {
		if oldest == "" || since.Before(g.foreign[oldest]) {
			oldest = folder
		}
	}
	delete(g.foreign, oldest)
}

// closed is told of a handle that is being closed.
func (g *guard) closed(handle string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h := g.handles[handle]; h != nil {
		delete(g.handles, handle)
		g.drop(h)
	}
}

// drop counts one user less; the last one releases the lock. g.mu is held.
func (g *guard) drop(h *held) {
	if h.users--; h.users > 0 {
		return
	}
	delete(g.locks, h.file)
	g.leaving[h.file] = h
	g.asking.Go(func() {
		h.release()
		g.mu.Lock()
		delete(g.leaving, h.file)
		g.mu.Unlock()
		close(h.free)
	})
}

func (g *guard) isForeign(folder string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.foreign[folder].IsZero()
}

// deny answers a request in the server's place.
func (g *guard) deny(id uint32) {
	status := binary.BigEndian.AppendUint32(packet{typeStatus}, id)
	status = binary.BigEndian.AppendUint32(status, statusDenied)
	g.toHere.write(appendString(appendString(status, "in use on another computer"), "en"), false)
}
