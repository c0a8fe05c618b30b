/* SPDX-License-Identifier: Apache-2.0 */
/* udp.h - both ends of datagrams; tool.c says what they do. */
#pragma once

#include <stdint.h>

int udp_answer(uint16_t port);
int udp_ask(const char *address, const char *port, const char *text);
