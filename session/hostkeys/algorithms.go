package hostkeys

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// preferred is the order of the algorithms where nothing else decides: that of
// ssh_config(5), HostKeyAlgorithms, without SHA-1.
func preferred() []string {
	return []string{
		ssh.CertAlgoED25519v01,
		ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
		ssh.KeyAlgoED25519,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

func isCertificate(algorithm string) bool {
	return strings.HasSuffix(algorithm, "-cert-v01@openssh.com")
}

// Algorithms returns ssh.ClientConfig's HostKeyAlgorithms for the server at
// address, host:port. Those of the keys that are known come first: a server has
// several keys and shows the one whose algorithm the client lists first, so that a
// fixed order would make a known server look unknown. The others follow,
// so that a server that has none of them is refused with the key it showed.
func (db *DB) Algorithms(address string) []string {
	lines := db.known(address)
	var known []string
	if len(lines.authorities) > 0 {
		known = slices.DeleteFunc(preferred(), func(a string) bool { return !isCertificate(a) })
	}
	plain := slices.DeleteFunc(preferred(), isCertificate)
	for _, algorithm := range plain {
		for _, k := range lines.keys {
			if slices.Contains(algorithmsOf(k.Key), algorithm) && !slices.Contains(known, algorithm) {
				known = append(known, algorithm)
			}
		}
	}
	rest := slices.DeleteFunc(plain, func(a string) bool { return slices.Contains(known, a) })
	return append(known, rest...)
}

// algorithmsOf lists the algorithms that sign with a key (RFC 8332 for RSA).
func algorithmsOf(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}
