/* SPDX-License-Identifier: Apache-2.0 */
/* sock.h - both ends of unix sockets; tool.c says what they do. */
#pragma once

#include <stdint.h>

int sock_call(const char *path);
int sock_say(const char *path);
int sock_echo(const char *path);
int sock_sink(const char *path);
int sock_many(unsigned count, uint64_t bytes, const char *path);
