package mux

import (
	"bytes"
	"compress/zlib"
	"math/rand/v2"
	"testing"
)

const pictureWidth = 640

// photo is a gradient with the noise of a camera, of depth 24.
func photo(rows int) []byte {
	r := rand.New(rand.NewPCG(7, 8))
	b := make([]byte, pixel*pictureWidth*rows)
	for i := range pictureWidth * rows {
		for channel := range 3 {
			b[pixel*i+channel] = byte(i/pictureWidth/3+i%pictureWidth/8*channel) + byte(r.Uint32N(8))
		}
	}
	return b
}

// text is white with letters that come again.
func text(rows int) []byte {
	r := rand.New(rand.NewPCG(9, 10))
	var letters [60]uint64
	for i := range letters {
		letters[i] = r.Uint64()
	}
	const cell = 8
	b := bytes.Repeat([]byte{0xff}, pixel*pictureWidth*rows)
	for y := 0; y+cell <= rows; y += 2 * cell {
		for x := cell; x+cell < pictureWidth*3/4; x += cell {
			for i, shape := 0, letters[r.IntN(len(letters))]; i < 64; i++ {
				if shape>>i&1 != 0 {
					at := pixel * ((y+i/8)*pictureWidth + x + i%8)
					copy(b[at:], []byte{0, 0, 0})
				}
			}
		}
	}
	return b
}

// batches are frames of one stream, as many at a time as a batch has.
func batches(data []byte) (all [][]byte) {
	c := &Conn{wake: make(chan struct{}, 1), streams: make(map[uint32]*Stream)}
	s := c.add(1)
	s.opened, s.allowance = true, maxAllowance
	for len(data) > 0 {
		n := min(len(data), maxOut-s.out.len())
		s.Write(data[:n])
		data = data[n:]
		all = append(all, c.appendData(nil))
	}
	for s.out.len() > 0 {
		all = append(all, c.appendData(nil))
	}
	return all
}

// sent is how many bytes the batches take, each of which arrives as it is; pixels, how many of
// them are sent as differences.
func sent(t *testing.T, from direction, all [][]byte) (size, pixels int) {
	t.Helper()
	var wire bytes.Buffer
	e, d := coders(t, &wire, from, from)
	for i, frames := range all {
		batch, err := e.encode(frames, 0)
		if err != nil {
			t.Fatal(err)
		}
		size += len(batch)
		if batch[0] == batchPixels {
			pixels++
		}
		wire.Write(batch)
		if got, _, err := d.decode(); err != nil || !bytes.Equal(got, frames) {
			t.Fatalf("batch %d: %v", i, err)
		}
	}
	return size, pixels
}

// Pictures take no more bytes than with ssh -C, which is zlib at level 6: photos a third fewer.
// Letters, and what is not pixels, are not taken for photos.
func TestPictures(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	random := make([]byte, 256<<10)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for _, of := range []struct {
		name   string
		data   []byte
		most   float64 // of zlib's bytes
		photos bool
	}{
		{"photo", photo(200), 0.65, true},
		{"text", text(200), 1.35, false}, // 4 kB more of 512
		{"random", random, 1.01, false},
		{"zeros", make([]byte, 256<<10), 1.5, false},
	} {
		t.Run(of.name, func(t *testing.T) {
			all := batches(of.data)
			limit := of.most * float64(zlibbed(t, all))
			for _, acceptor := range []bool{false, true} {
				size, pixels := sent(t, directionFrom(acceptor), all)
				if rest := len(all) - pixels; of.photos && rest > 1 || !of.photos && pixels > 0 {
					t.Errorf("%d of %d batches are taken for photos", pixels, len(all))
				}
				if float64(size) > limit {
					t.Errorf("from the acceptor %v: %d bytes, more than %.0f", acceptor, size, limit)
				}
				limit *= 1.2 // its level is the fastest
			}
		})
	}
}

// zlibbed is how many bytes sshd would take.
func zlibbed(t *testing.T, all [][]byte) int {
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, frames := range all {
		z.Write(frames)
		z.Flush()
	}
	return out.Len()
}

// BenchmarkPictures compresses, and says what is left of each byte.
func BenchmarkPictures(b *testing.B) {
	for name, data := range map[string][]byte{"photo": photo(500), "text": text(500)} {
		all := batches(data)
		b.Run(name, func(b *testing.B) {
			e, _ := coders(b, nil, directionFrom(false), directionFrom(false))
			var size, n int
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for _, frames := range all {
					batch, err := e.encode(frames, 0)
					if err != nil {
						b.Fatal(err)
					}
					size += len(batch)
					n += len(frames)
				}
			}
			b.ReportMetric(float64(size)/float64(n), "sent/B")
		})
	}
}

// What is split is joined again, whatever it is.
func TestPixels(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	if got := splitPixels(nil, []byte{1, 2, 3, 4, 6, 6, 6, 6, 7}); !bytes.Equal(got, []byte{1, 5, 1, 2, 4, 3, 3, 4, 2}) {
		t.Errorf("differences are %v", got)
	}
	for size := range 1000 {
		b := noise(r, size)
		for i := range b {
			b[i] += byte(r.Uint32())
		}
		split, joined := splitPixels(nil, b), make([]byte, size)
		if joinPixels(joined, split); len(split) != size || !bytes.Equal(joined, b) {
			t.Errorf("%v became %v", b, joined)
		}
	}
}
