package mux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A batch begins with one byte that says how its frames are encoded, and their
// length as sent and as meant, in three bytes each, little-endian.
const (
	batchPlain  = 'p'
	batchZstd   = 'z'
	batchPixels = 'x' // zstd, of what splitPixels makes of them

	batchHead = 7
)

const (
	// maxBatch bounds the frames of a batch, in bytes. It is what has to go out
	// before anything that comes up meanwhile.
	maxBatch = 32 << 10

	// maxSent bounds a batch as sent: zstd stores what it cannot shorten
	// (RFC 8878, section 3.1.1.2), with a few bytes of heads.
	maxSent = maxBatch + 1<<10
)

// direction is how one direction of a connection is compressed.
type direction struct {
	window int // how far back it looks, in bytes; both ends need the memory
	level  zstd.EncoderLevel

	// lean says that the sender has little more than the window, and so moves that for every 128 KiB. Else it has it
	// twice.
	lean bool
}

// directionFrom returns the direction from the side that accepts streams, or from the one that
// opens them. X servers are at the former, and say little beside what programs draw.
func directionFrom(acceptor bool) direction {
	if acceptor {
		return direction{window: 64 << 10, level: zstd.SpeedFastest, lean: true} // whose tables take a fifth
	}
	return direction{window: 1 << 20, level: zstd.SpeedDefault}
}

// encoder turns frames into batches.
type encoder struct {
	zstd   *zstd.Encoder
	out    bytes.Buffer
	pixels []byte // what splitPixels gave; empty until there was a photo
	gain   gain
}

func newEncoder(d direction) (*encoder, error) {
	e := new(encoder)
	e.out.Grow(batchHead + maxSent)
	var err error
	e.zstd, err = zstd.NewWriter(&e.out,
		zstd.WithEncoderConcurrency(1), // with more, a flush is a matter of several goroutines
		zstd.WithEncoderLevel(d.level),
		zstd.WithWindowSize(d.window),
		zstd.WithLowerEncoderMem(d.lean),
		zstd.WithEncoderCRC(false))
	return e, err
}

// encode returns the batch of frames, which is good until the next call. A link takes
// perByte nanoseconds for a byte; 0 where that is unknown.
func (e *encoder) encode(frames []byte, perByte float64) ([]byte, error) {
	e.out.Reset()
	e.out.Write(make([]byte, batchHead))
	how := byte(batchPlain)
	if e.gain.worth(perByte) {
		began := time.Now()
		var err error
		if how, err = e.compress(frames); err != nil {
			return nil, err
		}
		e.gain.note(len(frames), e.out.Len()-batchHead, time.Since(began))
	} else {
		e.out.Write(frames)
	}
	batch := e.out.Bytes()
	if len(batch)-batchHead > maxSent {
		return nil, fmt.Errorf("a batch of %d bytes became %d", len(frames), len(batch))
	}
	putHead(batch, how, len(batch)-batchHead, len(frames))
	return batch, nil
}

// compress appends the frames to e.out, and says how they are encoded.
func (e *encoder) compress(frames []byte) (how byte, err error) {
	how = batchZstd
	if arePixels(frames) {
		how = batchPixels
		e.pixels = splitPixels(e.pixels[:0], frames)
		frames = e.pixels
	}
	if _, err := e.zstd.Write(frames); err != nil {
		return how, err
	}
	return how, e.zstd.Flush()
}

func putHead(b []byte, how byte, sent, meant int) {
	var n [4]byte
	b[0] = how
	binary.LittleEndian.PutUint32(n[:], uint32(sent))
	copy(b[1:4], n[:])
	binary.LittleEndian.PutUint32(n[:], uint32(meant))
	copy(b[4:7], n[:])
}

// close frees the encoder's memory.
func (e *encoder) close() { e.zstd.Close() }

// decoder turns batches back into frames.
type decoder struct {
	in     io.Reader
	zstd   *zstd.Decoder
	batch  bytes.Reader // the compressed batch that is being read
	sent   []byte
	frames []byte
	pixels []byte // what joinPixels gave; empty until there was a photo
}

func newDecoder(in io.Reader, from direction) (*decoder, error) {
	d := &decoder{in: in, sent: make([]byte, maxSent), frames: make([]byte, maxBatch)}
	var err error
	d.zstd, err = zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), // with more, it reads ahead
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(uint64(from.window)),
		zstd.WithDecoderMaxMemory(1<<62), // of a whole stream, which is as long as the session
		zstd.IgnoreChecksum(true))
	return d, err
}

// decode reads the next batch. The frames are good until the next call; size is that
// of the batch as sent.
func (d *decoder) decode() (frames []byte, size int, err error) {
	var head [batchHead]byte
	if _, err := io.ReadFull(d.in, head[:]); err != nil {
		return nil, 0, err
	}
	sent := int(head[1]) | int(head[2])<<8 | int(head[3])<<16
	meant := int(head[4]) | int(head[5])<<8 | int(head[6])<<16
	if sent > maxSent || meant > maxBatch || head[0] == batchPlain && sent != meant {
		return nil, 0, fmt.Errorf("batch %q of %d bytes for %d", head[0], sent, meant)
	}
	if _, err := io.ReadFull(d.in, d.sent[:sent]); err != nil {
		return nil, 0, err
	}
	size = batchHead + sent
	switch head[0] {
	case batchPlain:
		return d.sent[:sent], size, nil
	case batchZstd:
		return d.frames[:meant], size, d.expand(d.sent[:sent], meant)
	case batchPixels:
		if d.pixels == nil {
			d.pixels = make([]byte, maxBatch)
		}
		err := d.expand(d.sent[:sent], meant)
		joinPixels(d.pixels[:meant], d.frames[:meant])
		return d.pixels[:meant], size, err
	}
	return nil, 0, fmt.Errorf("batch of kind %q", head[0])
}

// expand puts what a compressed batch holds into d.frames.
func (d *decoder) expand(sent []byte, meant int) error {
	first := d.batch.Size() == 0
	d.batch.Reset(sent)
	if first {
		if err := d.zstd.Reset(plainReader{&d.batch}); err != nil {
			return fmt.Errorf("compressed batch: %w", err)
		}
	}
	if _, err := io.ReadFull(d.zstd, d.frames[:meant]); err != nil {
		return fmt.Errorf("compressed batch: %w", err)
	}
	if d.batch.Len() > 0 {
		return errors.New("compressed batch: it holds more than it says")
	}
	return nil
}

// plainReader hides methods by which a decoder would take all that is there now for all
// that there will be.
type plainReader struct{ io.Reader }

func (d *decoder) close() { d.zstd.Close() }
