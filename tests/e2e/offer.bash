# SPDX-License-Identifier: Apache-2.0
#
# offer.bash - what servers of the tests have, below www: a tree (git), a
# package (apt), a page, and the certificate of web.test, whose key is beside.
# shellcheck shell=bash

offer()
{
	mkdir -p tree pkg/DEBIAN www/debian
	git init -q tree
	echo source >tree/file
	git -C tree add file
	git -C tree -c user.name=a -c user.email=a@web.test commit -qm one
	git clone -q --bare tree www/tree.git
	git -C www/tree.git update-server-info
	printf 'Package: vial-probe\nVersion: 1\nArchitecture: all\n%s\n' \
		$'Maintainer: a <a@web.test>\nDescription: nothing' \
		>pkg/DEBIAN/control
	dpkg-deb -b pkg www/debian/probe.deb >/dev/null
	(cd www/debian && dpkg-scanpackages . 2>/dev/null >Packages)
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web.test \
		-addext subjectAltName=DNS:web.test -keyout key \
		-out www/cert 2>/dev/null
	echo "hello from the world" >www/hello
}
