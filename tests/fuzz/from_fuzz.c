/* SPDX-License-Identifier: Apache-2.0 */
/* A Dockerfile that a stranger wrote: which images it names. */
#include "builder/from.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char arg[] = "V=1";
	static char *argv[] = { arg, NULL };
	const struct strv args = { argv, 1 };
	struct strv out = { 0 };
	struct err e;
	char *text;

	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	from_list(text, size, &args, &out, &e);
	strv_fini(&out);
	free(text);
	return 0;
}
