/* The poll's body: u32 little-endian length, then that many bytes of zstd frames that decode to one JSON document. */
#ifndef WARREN_CORE_CTLCLIENT_MAPSTREAM_H
#define WARREN_CORE_CTLCLIENT_MAPSTREAM_H

#include "base/buf/buf.h"
#include "base/err/err.h"

#include <zstd.h>

struct mapstream {
	struct buf in, json;
	ZSTD_DStream *z;
};

MUST_USE int mapstream_init(struct mapstream *m, size_t frame_max, size_t json_max);
void mapstream_fini(struct mapstream *m);
void mapstream_reset(struct mapstream *m);
MUST_USE int mapstream_feed(struct mapstream *m, struct view data);
/* The next message, valid until the next call: 1; 0 when there is none yet; negative: give the poll up. */
MUST_USE int mapstream_next(struct mapstream *m, struct view *ret);

#endif
