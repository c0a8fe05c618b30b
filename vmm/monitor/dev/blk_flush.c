/* SPDX-License-Identifier: Apache-2.0 */
/* A flush syncs the data, then saves the part of the map that spoke of it when
 * the flush began, then syncs again. Flushes that come meanwhile wait and are
 * served together by the next one. */
#include "dev/blk_priv.h"

#include <errno.h>

static void flush_sync(struct blk *b)
{
	b->flush_op = (struct blk_op){
		.kind = BLK_OP_SYNC,
		.file = b->overlay_file,
	};
	blk_io_start(&b->io, &b->flush_op);
}

static void flush_next(struct blk *b)
{
	if (b->flush_running || !b->flush_waiting)
		return;
	b->flush_running = b->flush_waiting;
	b->flush_waiting = NULL;
	b->flush_map = overlay_save_begin(&b->overlay);
	flush_sync(b);
}

void blk_flush_add(struct blk_req *r)
{
	struct blk *b = r->b;

	if (b->overlay.fd < 0) {
		blk_finish(r, BLK_S_OK); /* nothing was ever written */
		return;
	}
	r->next = b->flush_waiting;
	b->flush_waiting = r;
	flush_next(b);
}

static void finish_all(struct blk_req *r, enum blk_status s)
{
	while (r) {
		struct blk_req *next = r->next;

		blk_finish(r, s);
		r = next;
	}
}

void blk_flush_done(struct blk *b, int result)
{
	struct blk_req *served = b->flush_running;
	struct err e = { 0 };

	if (b->io.dropping) {
		blk_flush_drop(b);
		return;
	}
	if (result == 0 && b->flush_map) {
		b->flush_map = false;
		result = overlay_save_write(&b->overlay, &e);
		if (result == 0) {
			flush_sync(b);
			return;
		}
	}
	if (result < 0) {
		overlay_save_abort(&b->overlay);
		blk_complain(b, "flush", 0, result);
	}
	b->flush_map = false;
	b->flush_running = NULL;
	finish_all(served, result < 0 ? BLK_S_IOERR : BLK_S_OK);
	flush_next(b);
}

void blk_flush_drop(struct blk *b)
{
	struct blk_req *running = b->flush_running;
	struct blk_req *waiting = b->flush_waiting;

	if (b->flush_map)
		overlay_save_abort(&b->overlay);
	b->flush_map = false;
	b->flush_running = b->flush_waiting = NULL;
	finish_all(running, BLK_S_IOERR);
	finish_all(waiting, BLK_S_IOERR);
}
