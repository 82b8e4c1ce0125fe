package xproxy

import (
	"encoding/binary"
	"iter"
)

// topic is something that changes now and then, and of which the X server tells those who
// want to hear when it has. The two numbers are for what there are several of; zero is for all.
type topic struct {
	kind kind
	a, b uint32
}

type kind byte

const (
	everything kind = iota
	screens         // monitors, their modes and what is known of them
	keys            // the core keyboard's map, names and controls
	devices         // properties of input devices
	properties      // of a root window: its number and an atom
	selections      // owners: 0 and an atom
	lists           // of properties: a root window's number

	// What changes without anybody's being told, see inquiries.
	modes       // of monitors: a root window's number
	pointers    // where the pointer is: a root window's number
	attributes  // of a root window: its number
	deviceLists // input devices and their states: a number for several of XInput's
	states      // the core keyboard's
	focuses     // which window has it
	kinds       // how many there are
)

// wider returns the topic that has this one as a part.
func (t topic) wider() topic {
	if t.a != 0 || t.b != 0 {
		return topic{kind: t.kind}
	}
	return topic{}
}

// fleeting reports whether a topic changes without anybody's being told.
func (t topic) fleeting() bool { return t.kind >= modes && t.kind < kinds }

// word is a part of a notice between the halves: an operation, and what it is about.
type word struct {
	op    op
	topic topic
}

type op byte

const (
	// By the near half.
	opChanged  op = 'c' // the topic has changed
	opWatching op = 'w' // changes of the topic are told from now on; of keys it has the keyboard's number
	opOn       op = '+' // all changes are told ahead of what follows them, until opOff; it has the number of the last opUngrab
	opOff      op = '-' // they are not
	opPiece    op = 'p' // of a reply about what is fleeting, at the place that b says; pieceSize bytes follow
	opIs       op = 'i' // those pieces are the reply now, of as many bytes as b says

	// By the far half.
	opGrab   op = 'g' // a program may have the server to itself from now on
	opUngrab op = 'u' // none has when what it says now has arrived; with a number
	opComing op = 'n' // a program starts
)

const wordSize = 10

func (w word) append(b []byte) []byte {
	b = append(b, byte(w.op), byte(w.topic.kind))
	b = binary.BigEndian.AppendUint32(b, w.topic.a)
	return binary.BigEndian.AppendUint32(b, w.topic.b)
}

// words reads a notice. What is cut off is left out.
func words(notice []byte) (all []word) {
	for said := range said(notice) {
		all = append(all, said)
	}
	return all
}

// said reads a notice, with the pieces that follow words.
func said(notice []byte) iter.Seq2[word, []byte] {
	return func(yield func(word, []byte) bool) {
		for len(notice) >= wordSize {
			one := word{op: op(notice[0]), topic: topic{
				kind: kind(notice[1]), a: binary.BigEndian.Uint32(notice[2:]), b: binary.BigEndian.Uint32(notice[6:]),
			}}
			notice = notice[wordSize:]
			size := 0
			if one.op == opPiece {
				size = pieceSize
			}
			if size > len(notice) || !yield(one, notice[:size]) {
				return
			}
			notice = notice[size:]
		}
	}
}
