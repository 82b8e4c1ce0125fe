// Package login is the life of a seat as a state machine: events in, actions
// out, and nothing that blocks or touches a process.
//
//	starting ─▶ idle ─create_session─▶ asking ⇄ (question, answer)*
//	   ▲                                 │ success
//	   │                                 ▼
//	 ending ◀─end─ running ◀─X─ switching ◀─greeter─ leaving ◀─start_session─ ready
//
// An error in asking or ready leads back to idle: the greeter and the X server
// stay up and the person tries again. In switching the greeter has gone: its X server
// ends, and the session gets a fresh one, which the worker learns of when it is up.
// The end of a session leads to ending and from there to a fresh X server.
package login
