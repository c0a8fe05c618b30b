/* SPDX-License-Identifier: Apache-2.0 */
/* egresslog.h - what a guest asked and reached, as JSON lines.
 *
 *     {"time":"2026-01-02T03:04:05.678Z","event":"name","name":"a.test",
 *      "type":"A","verdict":"allowed","answer":"NOERROR",
 *      "addresses":["192.0.2.1"],"removed":["10.0.0.1"]}
 *     {...,"event":"connection","protocol":"tcp","address":"192.0.2.1",
 *      "port":443,"name":"a.test","sent":517,"received":9000,"seconds":0.2}
 *     {...,"event":"refused","protocol":"tcp","address":"10.0.0.1","port":22}
 *     {...,"event":"lost","what":"..."}
 *     {...,"event":"full","bytes":16777216}
 *
 * Bytes are those of packets, with their headers. Seconds last until the kernel
 * forgot the connection, a second or so after its end; the line comes up to a
 * minute later. "open" says of TCP that neither end had closed when the box
 * ended. No line follows "full". */
#pragma once

#include "net/dns.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stdint.h>

#define EGRESSLOG_ADDRS 64

struct egresslog {
	int fd; /* borrowed; -1: nothing is written */
	uint64_t left, max;
	bool full;
};

struct egresslog_name {
	const char *name; /* dns_name_text() */
	uint16_t type;
	const char *verdict; /* "allowed", "refused" */
	const char *answer;  /* NULL: none */
	struct ip addr[EGRESSLOG_ADDRS], removed[EGRESSLOG_ADDRS];
	unsigned naddr, nremoved;
};

struct egresslog_conn {
	uint8_t proto;
	struct ip ip;
	uint16_t port; /* 0: has none */
	const char *name; /* NULL: not known */
	uint64_t sent, received;
	uint64_t ms; /* 0: not known */
	bool open;
};

void egresslog_init(struct egresslog *l, int fd, uint64_t max);
void egresslog_name(struct egresslog *l, const struct egresslog_name *n);
void egresslog_conn(struct egresslog *l, const struct egresslog_conn *c);
void egresslog_refused(struct egresslog *l, const struct egresslog_conn *c);
void egresslog_lost(struct egresslog *l, const char *what);
