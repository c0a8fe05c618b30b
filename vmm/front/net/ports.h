/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - ports of the host that lead to the guest's.
 *
 * Each is also held by a socket, so that no other program can take it and one
 * that is taken is refused before anything starts. In the nat mode what comes
 * does not reach the socket: the host's rules lead it on before that. What they
 * cannot lead on comes in by doors (doors.h); the user mode's are pasta's. */
#pragma once

#include "base/err.h"
#include "net/ip.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_MAX 4096

struct port {
	struct ip address; /* len 0: all of both families; zeros: of its own */
	uint16_t host, guest;
	bool udp;
	size_t twin; /* the one of IPv6 with the same number; 0: none */
	int fd;	     /* -1: not held */
};

struct ports {
	struct port *v;
	size_t n;
	size_t first; /* from here on they are others' twins */
};

/* One of all families becomes one of each that the host has: those of IPv6
 * come last. Before ports_hold(). */
int ports_families(struct ports *p, struct err *e);
/* Takes each; host 0 becomes one that is free. */
int ports_hold(struct ports *p, struct err *e);
/* Lets the socket go again. */
void ports_release(struct port *p);
void ports_fini(struct ports *p);

bool port_six(const struct port *p);
/* Its address stands for all of its family. */
bool port_any(const struct port *p);
