/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - the monitor's side of its two conversations (control.proto).
 *
 * On the plan socket it tells its launcher how far it got and how the guest
 * ended. On the control socket whoever may open it asks for figures or for the
 * end. Peers are other processes of the user, still bounded and checked: a
 * client that breaks the framing is dropped. */
#pragma once

#include "base/loop.h"
#include "machine/machine.h"
#include "proto/chan.h"

#define CONTROL_MAX_CLIENTS 8

struct control;

struct control_client {
	struct control *ctl;
	struct watch watch;
	struct chan chan;
	int fd; /* came, and waits for its call; -1: none */
	bool open;
};

struct control {
	struct machine *machine;
	struct loop *loop;
	struct watch listen; /* borrowed; fd -1: no control socket */
	struct watch plan;   /* borrowed */
	bool tied;
	uint64_t started_us;
	struct control_client client[CONTROL_MAX_CLIENTS];
};

/* Watches the control socket (listen_fd, or -1) and the plan socket. When tied
 * and the launcher's end closes, the guest is ended. */
int control_init(struct control *c, struct machine *m, struct loop *loop,
		 int listen_fd, int plan_fd, bool tied, struct err *e);
void control_fini(struct control *c);

/* Notices on the plan socket. A launcher that is gone is no error. */
void control_tell_running(struct control *c);
void control_tell_refused(int plan_fd, const struct err *e);
void control_tell_ended(struct control *c);
