package x11

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"goldm/internal/x11"
)

// arrival is a descriptor that comes when so many bytes have come.
type arrival struct {
	at     int
	memory bool
}

// sharedRequests follows a stream of a program's requests with its descriptors,
// in reads of size bytes at most.
type sharedRequests struct {
	t        *testing.T
	r        *requests
	all      []int  // descriptors, of which none may be left open
	have     []byte // not yet done
	out      []byte
	sent     []string // where descriptors went
	err      error
	memory   int // to be duplicated
	graphics int
}

func (s *sharedRequests) run(data []byte, arrivals []arrival, size int) {
	at := 0
	for len(data) > 0 && s.err == nil {
		n := min(size, len(data))
		for len(arrivals) > 0 && arrivals[0].at <= at {
			s.arrive(arrivals[0])
			arrivals = arrivals[1:]
		}
		if len(arrivals) > 0 {
			n = min(n, arrivals[0].at-at) // a read ends where descriptors come
		}
		s.read(data[:n])
		data = data[n:]
		at += n
	}
}

func (s *sharedRequests) arrive(a arrival) {
	of := s.graphics
	if a.memory {
		of = s.memory
	}
	fd, err := unix.FcntlInt(uintptr(of), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.all = append(s.all, fd)
	if err := s.r.came.add([]int{fd}); err != nil {
		s.err = err
	}
}

// read edits what came, as the pump does.
func (s *sharedRequests) read(chunk []byte) {
	s.r.came.read += int64(len(chunk))
	s.have = append(s.have, chunk...)
	for s.err == nil {
		done, err := s.r.edit(s.have)
		s.check(s.have[:done])
		s.out = append(s.out, s.have[:done]...)
		s.have = slices.Clone(s.have[done:])
		for _, e := range s.r.pending.takeAll() {
			s.sent = append(s.sent, fmt.Sprintf("edit %+v", e))
		}
		switch {
		case errors.Is(err, errFull):
			s.r.pending.wait(s.t.Context())
		case errors.Is(err, errAlone):
		default:
			s.err = err
			return
		}
	}
}

// check checks that descriptors go out beside one whole request of their form.
func (s *sharedRequests) check(done []byte) {
	goes := s.r.goes
	if len(goes) == 0 {
		return
	}
	request, ok := x11.ParseRequest(s.r.order, done, s.r.big)
	form, known := s.r.policy.formOf(request)
	if !ok || !known || request.Size != int64(len(done)) || len(goes) > form.takes {
		s.t.Errorf("%d descriptors go out beside %x", len(goes), done)
	}
	for _, fd := range goes {
		if !form.kind(fd) {
			s.t.Errorf("a descriptor of another kind goes out beside %x", done)
		}
	}
	s.sent = append(s.sent, fmt.Sprintf("%d.%d with %d", request.Major, request.Minor, len(goes)))
	closeAll(goes)
}

// finish closes what is left and checks that all is closed.
func (s *sharedRequests) finish() {
	s.r.came.drop()
	for _, fd := range s.all {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			s.t.Fatal("a descriptor is left open")
		}
	}
}

// FuzzDescriptors cuts a program's stream into reads in two ways, with
// descriptors at any place: they go out with a request that has them, whole and
// by itself, and what goes out does not depend on the reads.
func FuzzDescriptors(f *testing.F) {
	for _, o := range []x11.Order{x11.LittleEndian, x11.BigEndian} {
		f.Add(o == x11.BigEndian, uint16(3), slices.Concat(
			request(o, fakeShm, shmAttachFd, make([]byte, 8)...), request(o, fakeDRI3, dri3FenceFromFD, make([]byte, 12)...), buffers(o, 2),
			request(o, fakeDRI3, dri3Open, make([]byte, 8)...)), []byte{1, 13, 28, 29})
		f.Add(o == x11.BigEndian, uint16(1), slices.Concat(request(o, testBig, 0), bigRequest(o, fakeShm, shmAttachFd, make([]byte, 8)...),
			request(o, 1, 0), request(o, fakeShm, shmPutImage, make([]byte, 36)...)), []byte{5, 5, 9, 200})
	}
	memory, graphics := memory(f, nil), anonymous(f)
	policy := newPolicy(allowedHere, map[string]byte{"BIG-REQUESTS": testBig, "MIT-SHM": fakeShm, "DRI3": fakeDRI3}, 1<<20)
	f.Fuzz(func(t *testing.T, big bool, cut uint16, data, places []byte) {
		o := x11.LittleEndian
		if big {
			o = x11.BigEndian
		}
		var arrivals []arrival
		for i, place := range slices.Sorted(slices.Values(places)) {
			arrivals = append(arrivals, arrival{at: int(place), memory: i%2 == 0})
		}
		follow := func(size int) *sharedRequests {
			r := &requests{
				order: o, policy: policy, pending: newPending(), report: func(x11.Request, string) {},
				came: &descriptors{most: maxFromClient}, ids: new(ids),
			}
			r.ids.set(fakeSetupID, 0x1fffff)
			s := &sharedRequests{t: t, r: r, memory: memory, graphics: graphics}
			s.run(slices.Clone(data), arrivals, size)
			s.finish()
			return s
		}
		whole, parts := follow(len(data)+1), follow(int(cut%64)+1)
		if len(whole.out) > len(data) || (whole.err == nil) != (parts.err == nil) {
			t.Errorf("%d bytes became %d; errors %v, %v", len(data), len(whole.out), whole.err, parts.err)
		}
		if diff := cmp.Diff(whole.out, parts.out); diff != "" {
			t.Errorf("output depends on the reads:\n%s", diff)
		}
		if diff := cmp.Diff(whole.sent, parts.sent); diff != "" {
			t.Errorf("descriptors depend on the reads:\n%s", diff)
		}
	})
}
