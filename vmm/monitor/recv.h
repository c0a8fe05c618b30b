/* SPDX-License-Identifier: Apache-2.0 */
/* recv.h - the one message a monitor gets, read and checked.
 *
 * The sender is the user's own front, but a plan may have crossed versions and
 * its strings come from users: nothing in it is believed. What passes is a
 * struct monitor_conf; no protobuf type goes further. */
#pragma once

#include "base/err.h"
#include "monitor/conf.h"

/* Reads one frame from the blocking plan socket, not a byte more, checks the
 * message and every descriptor it names, and fills *conf. *conf is undefined
 * after an error. -EPIPE: closed before a message; -EPROTO: inside it or not
 * decodable; -EINVAL: a field is wrong; -EBADF, -ENOTSOCK...: a descriptor. */
int recv_plan(int fd, struct monitor_conf *conf, struct err *e);

/* Closes whatever else the process was started with: every descriptor above
 * the standard streams but plan_fd and those conf names. What a launcher let
 * slip is not a right of the guest's neighbour. Before threads and before any
 * descriptor of the monitor's own. */
int recv_close_others(const struct monitor_conf *conf, int plan_fd,
		      struct err *e);
