/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - a host for an agent under test.
 *
 * The agent is the library itself, in a child of the test, so that it runs
 * under the same sanitizers; its end is part of the test (peer_stop()). All
 * descriptors here are blocking, and an alarm ends a test that waits for what
 * never comes. */
#pragma once

#include "proto/agent.pb-c.h"
#include "proto/chan.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
	char dir[32]; /* for files of the test */
	char socket[64];
	pid_t agent;
	struct chan control;
};

/* A running agent, connected and greeted. */
void peer_start(struct peer *p);
/* Shutdown; the agent must end by itself with status 0. */
void peer_stop(struct peer *p);

int peer_connect(const struct peer *p);
/* A further control connection, greeted. Close with peer_hang_up(). */
void peer_control(const struct peer *p, struct chan *c);
void peer_hang_up(struct chan *c);

void peer_request(struct chan *c, Vial__Agent__Request__OpCase op, void *body);
/* The next event; it must be of that kind. Free with peer_free(). */
Vial__Agent__Event *peer_expect(struct chan *c,
				Vial__Agent__Event__EvCase kind);
void peer_free(Vial__Agent__Event *ev);

/* An Exec with stdout and stderr and this argument vector. */
#define PEER_ARGS(...) ((char *[]){ __VA_ARGS__, NULL })
Vial__Agent__Exec peer_exec(uint64_t key, char **argv);
int peer_stream(const struct peer *p, uint64_t key, int which);
/* Until the end of the stream, which is then closed. The caller frees. */
char *peer_read_all(int fd, size_t *len);

/* Runs it to its end: what it wrote and how it ended. */
struct peer_result {
	uint32_t status, signal;
	bool failed, timed_out, oom_killed, cut;
	Vial__Agent__Failed__Kind kind;
	char message[256];
	uint64_t cpu_us, rss_bytes, wall_us;
	uint64_t entries, bytes; /* of an archive */
	char *out, *err;
	size_t out_len, err_len;
};
void peer_run(struct peer *p, Vial__Agent__Exec *x, const char *in,
	      struct peer_result *r);
/* Takes an Exited apart and frees it. */
void peer_exited(Vial__Agent__Event *ev, struct peer_result *r);
/* sh -c text */
void peer_sh(struct peer *p, const char *text, struct peer_result *r);
/* A tar stream into a folder of the agent's, or out of one (out, out_len). */
void peer_put(struct peer *p, const char *path, const void *tar, size_t len,
	      struct peer_result *r);
void peer_get(struct peer *p, const char *path, struct peer_result *r);
/* The same with all that can be asked for; key and path are filled in. */
void peer_put_as(struct peer *p, Vial__Agent__PutTar *m, const char *path,
		 const void *tar, size_t len, struct peer_result *r);
void peer_get_as(struct peer *p, Vial__Agent__GetTar *m, const char *path,
		 struct peer_result *r);
void peer_result_fini(struct peer_result *r);
