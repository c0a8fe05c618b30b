/* SPDX-License-Identifier: Apache-2.0 */
/* sock.h - unix sockets by name in a directory, whatever the length of the
 * directory's path. */
#pragma once

#include "base/err.h"

/* A listening stream socket made at name below the directory dir. */
int sock_listen(int dir, const char *name, struct err *e);
/* Connected, blocking; but a peer that takes nothing is waited for no longer
 * than ten seconds, here and in what is sent: -EAGAIN. */
int sock_connect(int dir, const char *name, struct err *e);
/* The same for sockets that keep the limits of what is sent. */
int sock_listen_packets(int dir, const char *name, struct err *e);
int sock_connect_packets(int dir, const char *name, struct err *e);
