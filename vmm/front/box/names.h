/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - a name for a box that was given none: adjective_noun. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The same seed gives the same name; at most 31 characters. */
void names_make(uint32_t seed, char *out, size_t size);
