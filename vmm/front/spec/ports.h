/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - ports of the host that lead to the guest's, in docker's words:
 *
 *     [[ADDRESS:][HOST[-HOST]]:]GUEST[-GUEST][/tcp|udp]
 *
 * An IPv6 address is in brackets. Ranges are taken apart: one entry is one
 * port. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_PORTS_MAX 4096

struct spec_port {
	/* As inet_ntop(3) has it; "": any of the host's, "0.0.0.0" and "::": any
	 * of that family. */
	char address[46];
	uint16_t host; /* 0: one that is free */
	uint16_t guest;
	bool udp;
};

struct spec_ports {
	struct spec_port *v;
	size_t n;
};

int spec_ports_add(struct spec_ports *p, const char *text, struct err *e);
/* "80", "80/udp", "8000-8010": without a way in from the host. */
int spec_ports_expose(struct spec_ports *p, const char *text, struct err *e);
/* As above, each into text of SPEC_PORT_TEXT bytes. */
#define SPEC_PORT_TEXT 80
char *spec_port_text(const struct spec_port *p, char *text);
/* Those of expose that p does not have, on ports that are free. */
int spec_ports_all(struct spec_ports *p, const struct spec_ports *expose,
		   struct err *e);
void spec_ports_fini(struct spec_ports *p);
