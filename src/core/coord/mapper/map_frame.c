/* Pieces of maps, compressed: zstd frames one after another are one message. */
#include "core/coord/mapper/internal.h"

#include <errno.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 1 };

struct map_frame *map_frame_of(struct tailnet *c, const void *p, size_t n)
{
	size_t bound = ZSTD_compressBound(n), len;
	struct map_frame *q = malloc(sizeof(*q) + bound), *small;

	if (!q)
		return NULL;
	len = ZSTD_compressCCtx(c->mapper->zstd, q->b, bound, p, n, ZSTD_LEVEL);
	if (ZSTD_isError(len)) {
		free(q);
		return NULL;
	}
	q->refs = 1;
	q->len = len;
	small = realloc(q, sizeof(*q) + len);
	return small ? small : q;
}

struct map_frame *map_frame_message(struct tailnet *c, struct view text)
{
	struct map_frame *body = map_frame_of(c, text.p, text.len), *all;

	if (!body)
		return NULL;
	all = realloc(body, sizeof(*body) + body->len + 4);
	if (!all)
		return map_frame_put(body);
	memmove(all->b + 4, all->b, all->len);
	store_le32(all->b, (uint32_t)all->len);
	all->len += 4;
	return all;
}

/* No client of today asks for that; small tools do. */
struct map_frame *map_frame_message_raw(struct view text)
{
	struct map_frame *q = malloc(sizeof(*q) + 4 + text.len);

	if (!q)
		return NULL;
	q->refs = 1;
	q->len = 4 + text.len;
	store_le32(q->b, (uint32_t)text.len);
	memcpy(q->b + 4, text.p, text.len);
	return q;
}

int map_frame_text(struct view packed, struct buf *out)
{
	ZSTD_inBuffer in = { .src = packed.p, .size = packed.len };
	ZSTD_DStream *z = ZSTD_createDStream();
	bool full = false; /* there may be more text of what was read */
	int rc = z ? 0 : -ENOMEM;

	while (rc == 0 && (in.pos < in.size || full)) {
		ZSTD_outBuffer text = { .size = ZSTD_DStreamOutSize() };
		uint8_t *room;

		rc = buf_reserve(out, text.size, &room);
		if (rc < 0)
			break;
		text.dst = room;
		if (ZSTD_isError(ZSTD_decompressStream(z, &text, &in)))
			rc = -ERR_BAD_FORMAT;
		buf_commit(out, text.pos);
		full = text.pos == text.size;
	}
	ZSTD_freeDStream(z);
	return rc;
}
