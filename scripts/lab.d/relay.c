/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <errno.h>
#include <unistd.h>

int relay_write(int fd, const void *data, uint64_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (uint64_t)n;
	}
	return 0;
}

int relay_read(int fd, void *data, uint64_t size)
{
	char *p = data;
	uint64_t left = size;

	while (left > 0) {
		ssize_t n = read(fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		p += n;
		left -= (uint64_t)n;
	}
	return 1;
}
