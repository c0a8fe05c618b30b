/* SPDX-License-Identifier: Apache-2.0 */
/* netegress.h - what vial-netd is told about egress: the rules of the box, or
 * those of vial.conf, and the files that it writes for the user. */
#pragma once

#include "base/err.h"
#include "proto/net.pb-c.h"
#include "spec/spec.h"

#include <jansson.h>

struct netegress {
	int log, record; /* -1: none; owned */
	json_t *conf;	 /* what the words of vial.conf live in */
	char **words;
	size_t nwords;
};

/* Was anything said that a box without a network could not do? */
bool netegress_wanted(const struct spec *s);
/* Opens the files and reads vial.conf. close() also after a failure. */
int netegress_open(struct netegress *n, const struct spec *s, struct err *e);
void netegress_close(struct netegress *n);
/* The message lives as long as n and the spec; the files are the descriptors
 * log_fd and record_fd of vial-netd. */
void netegress_put(const struct netegress *n, const struct spec *s,
		   uint32_t log_fd, uint32_t record_fd, Vial__Net__Egress *m);
