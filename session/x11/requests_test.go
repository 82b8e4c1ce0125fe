package x11

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11"
)

// The opcodes of the test's server.
const (
	testBig    = 133
	testRender = 139
	testRandR  = 140
	testXVideo = 150
	testShm    = 130 // not allowed
)

func testPolicy() *policy {
	return newPolicy(allowed, map[string]byte{
		"BIG-REQUESTS": testBig,
		"RENDER":       testRender,
		"RANDR":        testRandR,
		"XVideo":       testXVideo,
	}, 1<<24)
}

func newRequests(o x11.Order) *requests {
	return &requests{order: o, policy: testPolicy(), pending: newPending(), report: func(x11.Request, string) {}}
}

// take empties the queue.
func (p *pending) takeAll() (all []edit) {
	for e, ok := p.first(); ok; e, ok = p.first() {
		all = append(all, e)
		p.take()
	}
	return all
}

func queryExtension(o x11.Order, name string) []byte {
	return x11.AppendQueryExtension(nil, o, name)
}

func TestRequests(t *testing.T) {
	orders(t, func(t *testing.T, o x11.Order) {
		enable := request(o, testBig, x11.BigReqEnable)
		for _, test := range []struct {
			name  string
			in    []byte
			out   []byte // nil for the same
			edits []edit
		}{
			{name: "core", in: request(o, 1, 24, make([]byte, 28)...)},
			{name: "allowed extension", in: request(o, testRender, 4, 1, 2, 3, 4)},
			{
				name:  "extension that is not allowed",
				in:    request(o, testShm, 1, 1, 2, 3, 4),
				out:   request(o, x11.Unassigned, 1, 1, 2, 3, 4),
				edits: []edit{{sequence: 1, code: x11.BadRequest, major: testShm, minor: 1}},
			},
			{
				name:  "with an extended length",
				in:    slices.Concat(enable, bigRequest(o, testShm, 1, 1, 2, 3, 4)),
				out:   slices.Concat(enable, bigRequest(o, x11.Unassigned, 1, 1, 2, 3, 4)),
				edits: []edit{{sequence: 2, code: x11.BadRequest, major: testShm, minor: 1}},
			},
			{
				name:  "last opcode",
				in:    request(o, 255, 255),
				out:   request(o, x11.Unassigned, 255),
				edits: []edit{{sequence: 1, code: x11.BadRequest, major: 255, minor: 255}},
			},
			{
				name:  "opcode 0 of the client's own",
				in:    request(o, x11.Unassigned, 7),
				edits: []edit{{sequence: 1, code: x11.BadRequest, minor: 7}},
			},
			{name: "unassigned core opcode", in: request(o, 126, 0)},
			{
				name: "access control",
				in:   slices.Concat(request(o, x11.ListHosts, 0), request(o, x11.ChangeHosts, 1, 1, 2, 3, 4), request(o, x11.SetAccessControl, 1)),
				out:  slices.Concat(request(o, x11.ListHosts, 0), request(o, x11.Unassigned, 1, 1, 2, 3, 4), request(o, x11.Unassigned, 1)),
				edits: []edit{
					{sequence: 2, code: x11.BadAccess, major: x11.ChangeHosts, minor: 1},
					{sequence: 3, code: x11.BadAccess, major: x11.SetAccessControl, minor: 1},
				},
			},
			{
				name: "minor opcodes that are not allowed",
				in:   slices.Concat(request(o, testXVideo, 18), request(o, testXVideo, xvShmPutImage), request(o, testRandR, randrCreateLease)),
				out:  slices.Concat(request(o, testXVideo, 18), request(o, 0, xvShmPutImage), request(o, 0, randrCreateLease)),
				edits: []edit{
					{sequence: 2, code: x11.BadRequest, major: testXVideo, minor: xvShmPutImage},
					{sequence: 3, code: x11.BadRequest, major: testRandR, minor: randrCreateLease},
				},
			},
			{name: "asked for by name", in: queryExtension(o, "Generic Event Extension")},
			{
				name: "asked for by a name that is not allowed",
				in:   queryExtension(o, "MIT-SHM"),
				out:  queryExtension(o, "\x00\x00\x00\x00\x00\x00\x00"),
			},
			{
				name: "the same with an extended length",
				in:   slices.Concat(enable, bigRequest(o, x11.QueryExtension, 0, append(o.AppendUint16(nil, 4), "\x00\x00DRI3"...)...)),
				out:  slices.Concat(enable, bigRequest(o, x11.QueryExtension, 0, append(o.AppendUint16(nil, 4), "\x00\x00\x00\x00\x00\x00"...)...)),
			},
			{
				name: "asked for by a long name",
				in:   queryExtension(o, string(bytes.Repeat([]byte("RENDER"), 1000))),
				out:  queryExtension(o, string(make([]byte, 6000))),
			},
			{
				name: "name shorter than the request",
				in:   request(o, x11.QueryExtension, 0, append(o.AppendUint16(nil, 6), "\x00\x00RENDER  MIT-SHM"...)...),
				out:  request(o, x11.QueryExtension, 0, append(o.AppendUint16(nil, 6), make([]byte, 17)...)...),
			},
			{
				name: "name longer than the request",
				in:   request(o, x11.QueryExtension, 0, append(o.AppendUint16(nil, 30), "\x00\x00RENDER"...)...),
				out:  request(o, x11.QueryExtension, 0, append(o.AppendUint16(nil, 30), make([]byte, 8)...)...),
			},
			{name: "no name", in: slices.Concat(request(o, x11.QueryExtension, 0), request(o, 1, 0))},
			{
				name:  "list",
				in:    slices.Concat(request(o, 1, 0), request(o, x11.ListExtensions, 0)),
				edits: []edit{{sequence: 2, list: true}},
			},
			{name: "looks like a request within another", in: request(o, 1, 0, request(o, testShm, 1)...)},
		} {
			t.Run(test.name, func(t *testing.T) {
				r := newRequests(o)
				got := bytes.Clone(test.in)
				done, err := r.edit(got)
				if err != nil || done != len(got) || r.body != 0 {
					t.Fatalf("%d of %d bytes done, %d to come, %v", done, len(got), r.body, err)
				}
				want := test.out
				if want == nil {
					want = test.in
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(test.edits, r.pending.takeAll(), cmp.AllowUnexported(edit{})); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestBadRequests(t *testing.T) {
	orders(t, func(t *testing.T, o x11.Order) {
		enable := request(o, testBig, x11.BigReqEnable)
		zero := []byte{x11.NoOperation, 0, 0, 0}
		for name, in := range map[string][]byte{
			"length 0":                   zero,
			"length 0, refused opcode":   {testShm, 1, 0, 0},
			"minor opcode 1":             slices.Concat(request(o, testBig, 1), o.AppendUint32(zero, 2)),
			"long enable":                slices.Concat(request(o, testBig, 0, 0), o.AppendUint32(zero, 2)),
			"another extension's enable": slices.Concat(request(o, testRender, 0), o.AppendUint32(zero, 2)),
			"extended length 0":          slices.Concat(enable, o.AppendUint32(zero, 0)),
			"extended length 1":          slices.Concat(enable, o.AppendUint32(zero, 1)),
			"extended length too long":   slices.Concat(enable, o.AppendUint32(zero, 1<<22+1)),
			"extended length overflows":  slices.Concat(enable, o.AppendUint32(zero, 1<<30+2)),
		} {
			t.Run(name, func(t *testing.T) {
				good := request(o, 1, 0)
				in := slices.Concat(good, in)
				done, err := newRequests(o).edit(in)
				if err == nil || done < len(good) || done > len(in)-4 {
					t.Errorf("%d of %d bytes done, %v", done, len(in), err)
				}
			})
		}
	})
}

func TestTooManyRefused(t *testing.T) {
	r := newRequests(x11.LittleEndian)
	refused := request(r.order, testShm, 1)
	in := bytes.Repeat(refused, maxPending+2)
	done, err := r.edit(in)
	if err != errFull || done != maxPending*len(refused) {
		t.Fatalf("%d bytes done, %v", done, err)
	}
	r.pending.first()
	r.pending.take()
	if err := r.pending.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := r.edit(in[done:])
	if err != errFull || n != len(refused) {
		t.Fatalf("%d more bytes done, %v", n, err)
	}
	if in[done] != x11.Unassigned || in[done+n] != testShm {
		t.Error("the wrong request was refused")
	}
	for i, e := range r.pending.takeAll() {
		if e.sequence != uint16(i+2) {
			t.Fatalf("edit %d has sequence %d", i, e.sequence)
		}
	}
}

// FuzzRequests cuts a stream into reads in two ways: what comes out must be the
// same, as long as what went in, and without a request that is not allowed.
func FuzzRequests(f *testing.F) {
	for _, o := range []x11.Order{x11.LittleEndian, x11.BigEndian} {
		f.Add(o == x11.BigEndian, uint16(3), slices.Concat(
			request(o, testBig, 0), bigRequest(o, testShm, 1, 1, 2, 3), queryExtension(o, "MIT-SHM"),
			request(o, testRender, 4), queryExtension(o, "RENDER"), request(o, x11.ListExtensions, 0)))
		f.Add(o == x11.BigEndian, uint16(1), slices.Concat(request(o, x11.ChangeHosts, 1), []byte{1, 2, 0, 0}))
	}
	f.Fuzz(func(t *testing.T, big bool, cut uint16, data []byte) {
		o := x11.LittleEndian
		if big {
			o = x11.BigEndian
		}
		whole, edits, err := editRequests(o, data, len(data)+1)
		parts, partEdits, partErr := editRequests(o, data, int(cut%64)+1)
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Errorf("output depends on the reads:\n%s", diff)
		}
		if diff := cmp.Diff(edits, partEdits, cmp.AllowUnexported(edit{})); diff != "" {
			t.Errorf("edits depend on the reads:\n%s", diff)
		}
		if (err == nil) != (partErr == nil) {
			t.Errorf("errors depend on the reads: %v, %v", err, partErr)
		}
		checkRequests(t, o, data, whole, edits)
	})
}

// editRequests edits a copy of data as it comes in reads of size bytes.
func editRequests(o x11.Order, data []byte, size int) (out []byte, edits []edit, err error) {
	r := newRequests(o)
	var have []byte
	for chunk := range slices.Chunk(data, size) {
		have = append(have, chunk...)
		for {
			done, err := r.edit(have)
			out = append(out, have[:done]...)
			have = bytes.Clone(have[done:])
			edits = append(edits, r.pending.takeAll()...)
			if err == errFull {
				r.pending.wait(context.Background())
				continue
			}
			if err != nil {
				return out, edits, err
			}
			break
		}
	}
	return out, edits, nil
}

// checkRequests reads what came out as an X server would, request by request.
func checkRequests(t *testing.T, o x11.Order, in, out []byte, edits []edit) {
	sequence, big := uint16(0), false
	for at := 0; at < len(out); {
		r, ok := x11.ParseRequest(o, out[at:], big)
		if !ok || r.Size == 0 {
			t.Fatalf("what comes out ends within the head of a request, at %d", at)
		}
		sequence++
		if len(edits) > 0 && edits[0].sequence == sequence && !edits[0].list {
			if r.Major != x11.Unassigned || edits[0].major != in[at] || edits[0].minor != in[at+1] {
				t.Errorf("request %d is %d.%d, to be restored by %+v", sequence, r.Major, r.Minor, edits[0])
			}
		} else if !slices.Contains([]byte{testBig, testRender, testRandR, testXVideo}, r.Major) &&
			(r.Major == 0 || r.Major > 127 || r.Major == x11.ChangeHosts || r.Major == x11.SetAccessControl) {
			t.Errorf("request %d is %d.%d", sequence, r.Major, r.Minor)
		}
		if len(edits) > 0 && edits[0].sequence == sequence {
			edits = edits[1:]
		}
		big = big || r.Major == testBig && r.Minor == 0 && r.Size == 4
		at += int(min(r.Size, int64(len(out)-at)))
	}
	if len(edits) > 0 {
		t.Errorf("edits without a request: %+v", edits)
	}
}
