/* SPDX-License-Identifier: Apache-2.0 */
/* share_child.h - what happens between clone() and virtiofsd. */
#pragma once

#include "run/share.h"

#define VIRTIOFSD "/usr/lib/qemu/virtiofsd"

struct share_child {
	const struct share_dir *dirs;
	unsigned n;
	int log_fd;	   /* -1: none */
	unsigned uid, gid; /* outside */
	bool map;	   /* in a user namespace without a map yet */
	int sync;	   /* SOCK_SEQPACKET: struct err, then end of file */
};

/* The rest of a process that is in namespaces of its own already: sends the
 * connected socket with an empty struct err, and becomes virtiofsd. What goes
 * wrong before or after is sent instead. */
void share_child(const struct share_child *c) __attribute__((noreturn));
