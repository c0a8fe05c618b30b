/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/shipped.h"

#include "box/where.h"
#include "image/load.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OURS "vial/"
#define FILE_MAX (REF_NAME_MAX + REF_TAG_MAX + 16)

/* The archive's name for what a user calls the image; false for one that is
 * not ours. */
static bool archive(const char *text, char *file, size_t len)
{
	struct ref ref;
	struct err e = { 0 };
	const char *name;
	int n;

	if (strncmp(text, OURS, strlen(OURS)) != 0 ||
	    ref_parse(text, &ref, &e) < 0 || !*ref.tag || *ref.digest.text)
		return false;
	name = ref.path + strlen(OURS);
	if (strchr(name, '/'))
		return false;
	n = snprintf(file, len, "%s-%s.oci.tar", name, ref.tag);
	return n > 0 && (size_t)n < len;
}

static int load(const char *path, struct err *e)
{
	struct load_how how = { .name = NULL };
	char data[PATH_MAX];
	struct store st;
	int dir = where_data(data, e), r;

	if (dir < 0)
		return dir;
	close(dir);
	if (platform_parse(NULL, &how.platform, e) < 0 ||
	    store_open(&st, data, e) < 0)
		return -e->code;
	r = load_archive(&st, path, &how, e);
	store_close(&st);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

bool shipped_is(const char *text)
{
	char file[FILE_MAX];

	return archive(text, file, sizeof(file));
}

int shipped_load(const char *text, struct err *e)
{
	char file[FILE_MAX], path[PATH_MAX];

	if (!archive(text, file, sizeof(file)))
		return err_set(e, ENOENT, "%.100s does not come with vial",
			       text);
	if (where_image(file, path, e) < 0)
		return err_wrap(e, "%.100s", text);
	return load(path, e);
}
