// Package passwd carries on, as questions and notices, the dialogue of a program
// that asks for a new password on a terminal: passwd(1), as sshd runs it where a
// password has expired.
//
// Nothing on a terminal says what is a question, in what language, or whether its
// answer may be seen. So a line that is not ended, and that nothing follows, is a
// question for a secret; whole lines are notices. All of it is bounded.
package passwd
