/* SPDX-License-Identifier: Apache-2.0 */
/* netns.h - the namespaces of a box's network.
 *
 * The process gives up what it is: as root it becomes a user that nobody else
 * is (jail/ids.h), and its rights end at the user namespace that it makes. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Root only, else it does nothing: becomes that user. */
int netns_become(struct err *e);
/* A user namespace in which the only id is our own; with the next child as the
 * first process of a pid namespace, if asked: with it ends whatever it has
 * started. */
int netns_user(bool pid, struct err *e);
/* The box's: a network namespace and a user namespace that owns it. Others of
 * the same user may look at it through /proc until netns_close_door(). */
int netns_box(struct err *e);
void netns_close_door(void);
/* Keeps but the right to administer the network of the box. */
int netns_limit(struct err *e);

/* A setting below /proc/sys/net of this namespace: "ipv4/ip_forward". */
int netns_set(const char *name, const char *value, struct err *e);
/* What it is, as a number; -1: there is none. */
int netns_get(const char *name);
