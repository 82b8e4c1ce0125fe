package x11

import (
	"bytes"
	"testing"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
)

// benchDisplays runs a benchmark on Xvfb, reached directly and through a
// forwarder, so that the two can be compared.
func benchDisplays(b *testing.B, bench func(*testing.B, *Display)) {
	server := displayOf(xtest.Start(b, "-screen", "0", "1280x1024x24"))
	b.Run("direct", func(b *testing.B) { bench(b, server) })
	b.Run("forwarded", func(b *testing.B) { bench(b, forward(b, server).display) })
}

func BenchmarkRoundTrip(b *testing.B) {
	benchDisplays(b, func(b *testing.B, d *Display) {
		c := connect(b, d, x11.LittleEndian, x11.SetupAccepted)
		ask := request(c.order, getInputFocus, 0)
		for b.Loop() {
			c.send(ask)
			c.read(x11.AnswerHead)
		}
	})
}

// BenchmarkPutImage draws images of 500 by 100 pixels.
func BenchmarkPutImage(b *testing.B) {
	benchDisplays(b, func(b *testing.B, d *Display) {
		c := connect(b, d, x11.LittleEndian, x11.SetupAccepted)
		const width, height = 500, 100
		body := c.order.AppendUint32(c.order.AppendUint32(nil, c.root()), c.newGC())
		body = c.order.AppendUint16(c.order.AppendUint16(body, width), height)
		body = append(c.order.AppendUint32(body, 0), 0, 24, 0, 0)
		draw := request(c.order, 72, 2, append(body, make([]byte, 4*width*height)...)...)
		b.SetBytes(int64(len(draw)))
		for b.Loop() {
			c.send(draw)
		}
		c.send(request(c.order, getInputFocus, 0))
		c.reply()
	})
}

// BenchmarkRequests frames a buffer full of the shortest requests.
func BenchmarkRequests(b *testing.B) {
	r := newRequests(x11.LittleEndian)
	data := bytes.Repeat(request(r.order, x11.NoOperation, 0), bufferSize/4)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if done, err := r.edit(data); done != len(data) || err != nil {
			b.Fatal(done, err)
		}
	}
}

// BenchmarkAnswers frames a buffer full of events.
func BenchmarkAnswers(b *testing.B) {
	a := newAnswers(x11.LittleEndian)
	a.started = true
	data := bytes.Repeat(message(a.order, 12, 0, 1), bufferSize/x11.AnswerHead)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, done := a.edit(data); done != len(data) {
			b.Fatal(done)
		}
	}
}
