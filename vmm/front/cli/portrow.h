/* SPDX-License-Identifier: Apache-2.0 */
/* portrow.h - the published ports of a box as docker shows them. */
#pragma once

#include "box/netinfo.h"
#include "box/state.h"
#include "spec/spec.h"

#include <jansson.h>

/* Empty when the box does not run. n is the caller's to end. */
void portrow_read(struct netinfo *n, const struct box_info *info,
		  const struct box *b);
/* "0.0.0.0:8080", "[::]:8080", into text of SPEC_PORT_TEXT bytes. */
char *portrow_at(const struct spec_port *p, char *text);
/* "0.0.0.0:8080->80/tcp, 53/udp"; the caller frees it. */
char *portrow_text(const struct netinfo *n, const struct spec *s);

/* NetworkSettings.Ports, HostConfig.PortBindings, Config.ExposedPorts. */
json_t *portrow_ports(const struct spec_ports *p, const struct spec *s);
json_t *portrow_bindings(const struct spec *s);
json_t *portrow_exposed(const struct spec *s);
