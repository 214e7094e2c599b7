#include "core/ts2021/flood.h"
#include "base/bytes/bytes.h"

/* Frame types of RFC 9113, section 6. */
enum frame_type {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};
enum { FLAG_END_STREAM = 1 };
enum {
	COST_RST_STREAM = 4,   /* a stream was made and taken down for nothing */
	COST_SETTINGS = 4,     /* acknowledged, and applied to every stream */
	COST_CONTINUATION = 8, /* nobody's headers need one: a frame takes 16 KiB */
	DATA_UNIT = 4096,      /* bytes of bodies a token; less in a frame costs as much */
	HEADERS_UNIT = 512,    /* decompressed, field by field */
	SETTINGS_UNIT = 32,    /* five settings */
	OTHER_UNIT = 512,
	UPDATE_BYTES =
		1024, /* Go's clients send two WINDOW_UPDATEs for 4 KiB that they have read */
};

void flood_init(struct flood *f, bool client, int64_t rate, int64_t burst)
{
	*f = (struct flood){ .client = client, .skip = client ? 0 : FLOOD_PREFACE };
	bucket_init(&f->bucket, rate, burst);
}

void flood_raise(struct flood *f, int64_t rate, int64_t burst, mono_ns now)
{
	bucket_change(&f->bucket, rate, burst, now);
}

void flood_sent(struct flood *f, size_t n)
{
	f->window += n;
}

void flood_refund_request(struct flood *f, size_t body_len)
{
	bucket_give(&f->bucket, 2 + (int64_t)(body_len / DATA_UNIT));
}

static int64_t data_cost(const struct flood *f, size_t len, uint8_t flags)
{
	if (f->client) /* an answer's content, which is what we asked for */
		return len == 0 && !(flags & FLAG_END_STREAM);
	return (int64_t)(len / DATA_UNIT) + !(flags & FLAG_END_STREAM);
}

static int64_t update_cost(struct flood *f)
{
	if (f->window < UPDATE_BYTES)
		return 1;
	f->window -= UPDATE_BYTES;
	return 0;
}

static int64_t cost_of(struct flood *f, uint8_t type, uint8_t flags, size_t len)
{
	switch (type) {
	case DATA:
		return data_cost(f, len, flags);
	case HEADERS:
	case PUSH_PROMISE:
		return 1 + (int64_t)(len / HEADERS_UNIT);
	case CONTINUATION:
		return COST_CONTINUATION + (int64_t)(len / HEADERS_UNIT);
	case RST_STREAM:
		return COST_RST_STREAM;
	case SETTINGS:
		return COST_SETTINGS + (int64_t)(len / SETTINGS_UNIT);
	case WINDOW_UPDATE:
		return update_cost(f);
	default: /* also what is not known: it is skipped, byte by byte */
		return 1 + (int64_t)(len / OTHER_UNIT);
	}
}

/* A head is whole. */
static int take_frame(struct flood *f, mono_ns now)
{
	size_t len = (size_t)f->head[0] << 16 | (size_t)f->head[1] << 8 | f->head[2];
	int64_t cost = cost_of(f, f->head[3], f->head[4], len);

	f->n_head = 0;
	f->skip = len;
	return !cost || bucket_take(&f->bucket, cost, now) ? 0 : -ERR_FLOOD;
}

int flood_record(struct flood *f, size_t n, mono_ns now)
{
	return n < FLOOD_FRAME_HEAD && !bucket_take(&f->bucket, 1, now) ? -ERR_FLOOD : 0;
}

int flood_feed(struct flood *f, const uint8_t *p, size_t n, mono_ns now)
{
	int rc = 0;

	while (n && rc == 0) {
		size_t some =
			f->skip ? MIN_OF(f->skip, n) : MIN_OF(FLOOD_FRAME_HEAD - f->n_head, n);

		if (f->skip) {
			f->skip -= some;
		} else {
			memcpy(f->head + f->n_head, p, some);
			f->n_head += some;
			if (f->n_head == FLOOD_FRAME_HEAD)
				rc = take_frame(f, now);
		}
		p += some;
		n -= some;
	}
	return rc;
}
