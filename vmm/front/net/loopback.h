/* SPDX-License-Identifier: Apache-2.0 */
/* loopback.h - published ports asked for on the host's own loopback.
 *
 * pasta makes such a connection anew on the loopback of the box's namespace,
 * where nobody listens: rules there lead it on to the guest, who is asked by
 * the gateway. IPv6 cannot be led on so: that is for doors (doors.h). */
#pragma once

#include "base/err.h"
#include "net/addr.h"
#include "net/ports.h"

/* From within the box's network namespace, before the way up is. Nothing when
 * there are no ports. */
int loopback_open(const struct addr_plan *a, const struct ports *p,
		  struct err *e);
