/* SPDX-License-Identifier: Apache-2.0 */
/* confine.h - before the first byte of a registry is read.
 *
 * confine() is called once everything of the user's has been read (logins,
 * certificates, configuration) and helpers have run; by the only thread, which
 * hands its rights on to the threads to come.
 *
 * May after:      connect by IPv4 and IPv6; read what names and certificates of
 *                 the system need; read and write below the store's folder.
 * May not after:  start a program, reach a local socket, map code, read or
 *                 write any other file, trace or signal another process.
 *
 * The files are landlock's part. Kernels older than 5.19 do not have it, or
 * not enough of it: there the table of system calls is the only wall. */
#pragma once

#include "base/err.h"

/* store: the folder that may be written, or NULL. */
int confine(const char *store, struct err *e);
