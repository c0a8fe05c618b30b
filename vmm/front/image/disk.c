/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_of(const char *key, const char *end,
		    char out[IMAGE_KEY_MAX + 8])
{
	snprintf(out, IMAGE_KEY_MAX + 8, "%s.%s", key, end);
}

void image_disk_key(const struct image *img, const char *options,
		    char key[IMAGE_KEY_MAX])
{
	struct digest chain, tree, opts;

	/* Hashed once more: an image without layers has a name, too, and
	 * every one has as many digits. */
	config_chain(&img->config, img->config.ndiff_ids, &chain);
	digest_of(chain.text, strlen(chain.text), &tree);
	digest_of(options, strlen(options), &opts);
	snprintf(key, IMAGE_KEY_MAX, "%.64s-%.16s", digest_hex(&tree),
		 digest_hex(&opts));
}

int image_disk_open(struct store *s, const char *key, struct err *e)
{
	char name[IMAGE_KEY_MAX + 8];
	int fd;

	name_of(key, "ext4", name);
	fd = openat(s->disks, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "the disk %s is not made yet", name);
	if (fd < 0)
		return err_sys(e, "%s/disks/%s", s->path, name);
	/* When it was last wanted, for those who look what can go. Somebody
	 * else's store need not let us. */
	(void)futimens(fd, NULL);
	return fd;
}

int image_disk_begin(struct store *s, const char *key, struct image_disk *d,
		     struct err *e)
{
	char name[IMAGE_KEY_MAX + 8];

	*d = (struct image_disk){ .store = s, .lock = -1, .fd = -1 };
	snprintf(d->key, sizeof(d->key), "%s", key);
	name_of(key, "lock", name);
	d->lock = openat(s->disks, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock < 0)
		return err_sys(e, "open %s/disks/%s", s->path, name);
	while (flock(d->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, "lock %s/disks/%s", s->path, name);
	name_of(key, "ext4", name);
	if (faccessat(s->disks, name, F_OK, 0) == 0)
		return err_set(e, EEXIST, "the disk %s is there", name);
	d->fd = store_tmp(s, d->tmp, e);
	return d->fd < 0 ? d->fd : 0;
}

int image_disk_commit(struct image_disk *d, struct err *e)
{
	char name[IMAGE_KEY_MAX + 8];
	int r;

	name_of(d->key, "ext4", name);
	if (fchmod(d->fd, 0400) < 0)
		return err_sys(e, "disk %s", name);
	r = store_put(d->store, d->fd, d->tmp, d->store->disks, name, e);
	if (r == 0)
		*d->tmp = '\0';
	return r;
}

void image_disk_end(struct image_disk *d)
{
	if (!d->store)
		return;
	if (*d->tmp)
		unlinkat(d->store->tmp, d->tmp, 0);
	auto_close_(&d->fd);
	auto_close_(&d->lock);
	*d = (struct image_disk){ .lock = -1, .fd = -1 };
}
