/* SPDX-License-Identifier: Apache-2.0 */
/* policy_nft.h - a box's policy as rules of its network namespace.
 *
 * Two tables, both called "vial". That of the device drops what does not come
 * from the guest's own addresses, before anything of the kernel's remembers it.
 * The other decides, in this order:
 *
 *     from the guest, to be forwarded
 *         belongs to something that was allowed	yes
 *         is one connection too many			no
 *         address that the list names, for its ports	yes
 *         closed address				no
 *         the mode is all				yes
 *         address that the resolver opened		yes, for its ports
 *         else						no
 *     from the guest, to the namespace itself
 *         the resolver, echo, what IPv6 needs		yes
 *     from the guest, by the tap of a network joined later (join.h)
 *         to that network				yes
 *     to the guest
 *         from the network that its tap is of		yes
 *         belongs to something, published ports	yes
 *
 * No means a reset or an ICMP message at once, and a note to the log (nflog,
 * flows.h) at a limited rate. What comes with wrong addresses is not answered:
 * it is nobody's.
 *
 * An opened address is in the set of each class it is opened for. Who opens it
 * closes it again; the kernel's own timeouts cannot be prolonged before 6.12. */
#pragma once

#include "base/buf.h"
#include "net/egress.h"
#include "net/nftset.h"
#include "net/policy.h"

#define POLICY_NFT_GROUP 7     /* of nflog */
#define POLICY_NFT_OPEN	 8192  /* elements of a set */
#define POLICY_NFT_CONNS 4096  /* connections of a box at a time */
#define POLICY_NFT_TEXT	 (4u << 20)

/* Of a change; what more there is fails. */
#define POLICY_NFT_CHANGES 128

struct policy_nft {
	struct nftset set;
};

/* The tables as text; -ENOBUFS when out is too small. */
int policy_nft_text(const struct egress_conf *c, const struct policy *p,
		    struct buf *out);

/* In the namespace, with the tap there. What fails leaves nothing behind. */
int policy_nft_open(struct policy_nft *n, const struct egress_conf *c,
		    const struct policy *p, struct err *e);
void policy_nft_close(struct policy_nft *n);

/* One address for some classes; several of these are one change. */
struct policy_nft_change {
	struct ip ip;
	uint64_t open, shut;
};

/* All or nothing, and in force when it returns; what is there already, or is
 * not, is no mistake. */
int policy_nft_change(struct policy_nft *n, const struct policy_nft_change *v,
		      size_t count, struct err *e);
