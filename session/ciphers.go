package session

import (
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// ciphers returns the encryption algorithms in the order of their speed, which a
// CPU's AES instructions decide: with them AES-GCM is twice as fast as ChaCha20,
// without them a third.
func ciphers(aes bool) []string {
	gcm := []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM}
	ctr := []string{ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR}
	if aes {
		return append(append(gcm, ssh.CipherChaCha20Poly1305), ctr...)
	}
	return append(append([]string{ssh.CipherChaCha20Poly1305}, gcm...), ctr...)
}

// hasAES reports whether the CPU has what crypto/aes and crypto/cipher use for GCM.
func hasAES() bool {
	return cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
}
