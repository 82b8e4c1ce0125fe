package auth

// Challenge is a round of questions without a server.
func Challenge(d *Dialogue, name, instruction string, questions []string, echos []bool) ([]string, error) {
	return d.challenge(name, instruction, questions, echos)
}
