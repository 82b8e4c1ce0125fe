// Package home opens folders of the server for programs that run on the client:
// an SFTP channel of the login's connection for each (draft-ietf-secsh-filexfer-02,
// which is version 3), the user's home first, and for each a socket that carries
// it to whoever mounts the folder.
//
// It speaks as much SFTP as it takes to learn the home's path and that a folder
// can be read; then it hands the channel over as if it were unused. Of the packets
// that it carries it looks at those that lock a browser's profile, which is then
// locked on the server as well (docs/decisions/0006-profiles.md).
package home
