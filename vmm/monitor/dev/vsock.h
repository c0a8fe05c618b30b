/* SPDX-License-Identifier: Apache-2.0 */
/* vsock.h - virtio socket device (virtio 1.2, 5.10) with unix sockets behind.
 *
 * A host client connects to the listening socket of the conf and writes
 * "CONNECT <port>\n"; what follows the newline is already part of the stream.
 * When the guest accepts, the client reads "OK <host port>\n" and then the
 * guest's bytes. When it refuses, the client reads end of file.
 *
 * Only the host opens connections. The one thing a guest may ask for is
 * VSOCK_READY_PORT of the host: the answer is a reset like for any other, but
 * it says that the agent listens now. Clients that came earlier are held until
 * then, so nobody has to poll. */
#pragma once

#include "dev/dev.h"

#include <stdbool.h>

#define VSOCK_HOST_CID	 2
#define VSOCK_READY_PORT 1023	/* VIAL_READY_PORT of proto/ports.h */

struct virtio *vsock_create(const struct dev_conf *conf, const struct mem *mem,
			    struct loop *loop, struct err *e);
void vsock_destroy(struct virtio *v);

/* True while bytes the guest has sent wait for a client that reads slowly. A
 * machine that ends may run its loop a little longer to deliver the tail. */
bool vsock_pending(struct virtio *v);
