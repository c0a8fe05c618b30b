/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - folders in and out of the guest: PutTar and GetTar.
 *
 * Each is a process of its own that works on the stream connection directly;
 * the agent waits for its word and passes it on. */
#pragma once

#include "agent/caller.h"
#include "proto/agent.pb-c.h"

struct agent;
struct file;

/* Answers with TarDone or Failed, in the end. */
void file_put(struct agent *a, struct caller *owner,
	      const Vial__Agent__PutTar *q);
void file_get(struct agent *a, struct caller *owner,
	      const Vial__Agent__GetTar *q);
struct file *file_find(const struct agent *a, uint64_t key);
/* The TAR stream of it; fd is taken over when true is returned. */
bool file_attach(struct file *f, int fd, const void *early, size_t len);
/* The control connection c is gone. */
void files_disowned(struct agent *a, const struct caller *c);
void files_close(struct agent *a);
