#!/bin/sh
# Finishes a new tree, whose root is $1; mmdebstrap's --customize-hook calls it.
set -eu

# Each server makes its own keys.
rm -f "$1"/etc/ssh/ssh_host_*

# For texts in another language; C.UTF-8 is there without this.
chroot "$1" localedef -i de_DE -f UTF-8 de_DE.UTF-8
chroot "$1" localedef -i en_US -f UTF-8 en_US.UTF-8
