/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - boxes beside a job: --service IMAGE[,KEY=VALUE]...
 *
 * They are on a network with the job, made for it unless the job is on one,
 * and known there by their aliases. The job starts when all of them are ready:
 * healthy where there is a health check, else when the first TCP port that the
 * image exposes takes a connection, else at once. They end with the job, also
 * when it is killed: each has a keeper that dies with us. */
#pragma once

#include "base/err.h"
#include "box/network.h"
#include "spec/spec.h"

#include <sys/types.h>

#define SERVICES_MAX 16

struct service;

struct services {
	struct network net; /* made for the job; name "": none was */
	struct service *v;
	size_t n;
	const char *logs; /* the folder their output goes to, or NULL */
};

/* Of job->services; then job->network is theirs. On failure what was started
 * has ended. */
int services_start(struct services *v, struct spec *job, struct err *e);
void services_stop(struct services *v);
