/*
 * base/buf: a byte queue that grows up to a maximum it is told at the start. Append at the tail, consume at
 * the head. Used for stream input and output, and for building texts.
 */
#ifndef WARREN_BASE_BUF_BUF_H
#define WARREN_BASE_BUF_BUF_H

#include "base/bytes/bytes.h"

struct ledger_holder;

struct buf {
	uint8_t *mem;
	size_t head, tail, cap;       /* the content is mem[head..tail) */
	size_t max;                   /* bytes of content at the most */
	bool secret;                  /* wipe memory before it is given back */
	struct ledger_holder *holder; /* is charged for the memory; NULL: nobody */
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
/*
 * Who is charged for its memory from now on, as it grows and is given back (base/ledger). While it has none; the holder lives longer
 * than what the buffer holds. Then appending may also fail with -ERR_NO_ROOM.
 */
void buf_set_holder(struct buf *b, struct ledger_holder *holder);
void buf_fini(struct buf *b); /* also fine on zeroed memory, and twice */

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline const uint8_t *buf_data(const struct buf *b)
{
	return b->mem ? b->mem + b->head : (const uint8_t *)"";
}

static inline struct view buf_view(const struct buf *b)
{
	return view_of(buf_data(b), buf_len(b));
}

/* All of these: 0, -ERR_TOO_BIG past the maximum, -ERR_NO_ROOM, -ENOMEM. On error nothing was appended. */
MUST_USE int buf_append(struct buf *b, const void *p, size_t n);
MUST_USE int buf_append_str(struct buf *b, const char *s);
MUST_USE int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Room for n bytes at the tail, to be filled by the caller and then committed with buf_commit. */
MUST_USE int buf_reserve(struct buf *b, size_t n, uint8_t **ret);
void buf_commit(struct buf *b, size_t n);

void buf_consume(struct buf *b, size_t n);    /* n <= buf_len */
void buf_truncate(struct buf *b, size_t len); /* len <= buf_len; cuts the tail */
void buf_remove(
	struct buf *b, size_t at, size_t n); /* at + n <= buf_len; what is behind moves up */
void buf_clear(struct buf *b);               /* keeps the memory */
/* The content as a C string; the NUL is not part of the content. NULL without memory. */
const char *buf_cstr(struct buf *b);

#endif
