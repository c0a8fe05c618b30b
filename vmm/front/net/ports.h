/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - ports of the host that lead to the guest's.
 *
 * In the nat mode each is also held by a socket, so that no other program can
 * take it and one that is taken is refused before anything starts. What comes
 * never reaches the socket: the host's rules lead it on before that. */
#pragma once

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_MAX 4096

struct port {
	in_addr_t address; /* host byte order; INADDR_ANY: all of them */
	uint16_t host, guest;
	bool udp;
	int fd; /* -1: not held */
};

struct ports {
	struct port *v;
	size_t n;
};

/* Takes each; host 0 becomes one that is free. */
int ports_hold(struct ports *p, struct err *e);
/* Lets the sockets go again. */
void ports_release(struct ports *p);
void ports_fini(struct ports *p);
