/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - vsock port numbers and the guest's place among them. */
#pragma once

#define VIAL_HOST_CID   2
#define VIAL_READY_PORT 1023	/* guest to host: a connect says "ready" */
#define VIAL_AGENT_PORT 1024	/* host to guest: the agent listens */
