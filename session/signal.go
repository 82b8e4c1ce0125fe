package session

// statusOf returns the exit status that a shell gives a command that a signal of
// RFC 4254, section 6.10, ended.
func statusOf(signal string) int {
	numbers := map[string]int{
		"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9,
		"USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
	}
	return 128 + numbers[signal]
}
