/* SPDX-License-Identifier: Apache-2.0 */
/* The empty ext4 that an image is unpacked into. */
#include "builder/builder.h"

#include "box/mke2fs.h"

#include <stddef.h>

/* No journal: a box writes to an overlay that is thrown away or closed
 * cleanly. No resize inode and nothing left to the kernel's background
 * zeroing: the file is sparse, its blanks are zeros already. The seeds are
 * fixed because random ones would be the same for every clone anyway. An inode
 * for each 8 KiB: trees of many small files fit. */
int builder_make_disk(int fd, uint64_t bytes, struct err *e)
{
	static const char extended[] =
		"assume_storage_prezeroed=1,root_owner=0:0,"
		"hash_seed=76696100-0000-4000-8000-000000000002";
	static const char *const options[] = {
		"-i", "8192",
		"-U", "76696100-0000-4000-8000-000000000001",
		"-O", "^has_journal,^resize_inode,^orphan_file",
		"-E", extended,
		NULL
	};

	return mke2fs_run(fd, bytes, options, e);
}
