/* SPDX-License-Identifier: Apache-2.0 */
/* legacy.h - what iptables had before nf_tables, and iptables-legacy has: does
 * it drop what is forwarded? Asked of the kernel, without the program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In this network namespace, as its root; want is NFPROTO_IPV4 or _IPV6. True
 * when the policy of FORWARD is DROP and no rule names our interfaces. Nothing
 * is loaded for it: a table that nobody uses drops nothing. */
bool legacy_drops(uint8_t want);

/* For tests: the entries of a table, policy the offset of the one of FORWARD
 * that says what becomes of the rest. */
bool legacy_table_drops(uint8_t want, const uint8_t *entries, size_t len,
			size_t policy);
