/* SPDX-License-Identifier: Apache-2.0 */
/* doors.h - published ports that no rule of the kernel's can lead on.
 *
 * THEORY OF OPERATION
 *
 * Where IPv4 has a setting that lets the loopback's packets out to the guest,
 * IPv6 has none: what asks for ::1 is never answered. The same is true of
 * link-local addresses, of all IPv6 when the box has none, and of datagrams
 * that pasta would have to bring. For these there is a door, a socket that was
 * opened where they ask: on the host, or (what pasta brings from there) on the
 * loopback of the box's namespace.
 *
 *     caller ── door │ vial-netd │ ── the guest, by IPv4
 *
 * A connection is made anew from within the box's namespace and tied to the
 * first (base/tunnel.h). Of datagrams each caller is a flow, with a socket of
 * its own towards the guest (doors_udp.c); what is silent for a while is
 * forgotten, and so is the oldest when there are too many. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define DOORS_CALLS_MAX 512
#define DOORS_FLOWS_MAX 256

struct doors;

int doors_new(struct doors **out, in_addr_t guest, struct err *e);
/* A door that leads to a port of the guest's. Takes fd over, a non-blocking
 * socket of IPv6 that is bound, and listens if it is TCP's. */
int doors_add(struct doors *r, int fd, bool udp, uint16_t port, struct err *e);
/* The same, of the loopback of this network namespace; one that is there
 * already is no failure. */
int doors_add_loopback(struct doors *r, bool udp, uint16_t port, struct err *e);
/* From within the box's network namespace. */
int doors_start(struct doors *r, struct loop *l, struct err *e);
/* Before the loop's end. NULL is fine. */
void doors_free(struct doors *r);
