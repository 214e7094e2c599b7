#include "core/ctlclient/mapstream.h"

#include <errno.h>

int mapstream_init(struct mapstream *m, size_t frame_max, size_t json_max)
{
	buf_init(&m->in, frame_max);
	buf_init(&m->json, json_max);
	m->z = ZSTD_createDStream();
	/* Frames are at most this far back; a larger window is the hub's mistake, or an attack on our memory. */
	if (!m->z || ZSTD_isError(ZSTD_DCtx_setParameter(m->z, ZSTD_d_windowLogMax, 27)))
		return -ENOMEM;
	return 0;
}

void mapstream_fini(struct mapstream *m)
{
	ZSTD_freeDStream(m->z);
	m->z = NULL;
	buf_fini(&m->in);
	buf_fini(&m->json);
}

void mapstream_reset(struct mapstream *m)
{
	/* The memory goes too: a first map is large, what follows is small. */
	buf_fini(&m->in);
	buf_fini(&m->json);
}

int mapstream_feed(struct mapstream *m, struct view data)
{
	return buf_append(&m->in, data.p, data.len);
}

/* All frames of one message, in sequence. */
static int inflate_frames(struct mapstream *m, struct view frames)
{
	ZSTD_inBuffer in = { .src = frames.p, .size = frames.len };
	size_t more = 0;

	buf_clear(&m->json);
	ZSTD_DCtx_reset(m->z, ZSTD_reset_session_only);
	do {
		ZSTD_outBuffer out = { .size = ZSTD_DStreamOutSize() };
		uint8_t *room;
		int rc = buf_reserve(&m->json, out.size, &room);

		if (rc < 0)
			return rc;
		out.dst = room;
		more = ZSTD_decompressStream(m->z, &out, &in);
		if (ZSTD_isError(more))
			return -ERR_BAD_FORMAT;
		buf_commit(&m->json, out.pos);
		if (in.pos == in.size && out.pos < out.size)
			break; /* all taken and all given */
	} while (in.pos < in.size || more);
	return more ? -ERR_TRUNCATED : 0;
}

int mapstream_next(struct mapstream *m, struct view *ret)
{
	size_t len;
	int rc;

	if (buf_len(&m->in) < 4)
		return 0;
	len = load_le32(buf_data(&m->in));
	if (len > m->in.max - 4)
		return -ERR_TOO_BIG;
	if (buf_len(&m->in) - 4 < len)
		return 0;
	rc = inflate_frames(m, view_of(buf_data(&m->in) + 4, len));
	if (rc < 0)
		return rc;
	buf_consume(&m->in, 4 + len);
	*ret = buf_view(&m->json);
	return 1;
}
