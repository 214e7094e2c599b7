#include "base/buf/buf.h"
#include "base/err/err.h"
#include "base/ledger/ledger.h"

#include <errno.h>
#include <stdarg.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max, .secret = true };
}

void buf_set_holder(struct buf *b, struct ledger_holder *holder)
{
	CHECK(!b->cap);
	b->holder = holder;
}

static void wipe(const struct buf *b, uint8_t *p, size_t n)
{
	if (b->secret && n) {
		memset(p, 0, n);
		__asm__ __volatile__(""
				     :
				     : "r"(p)
				     : "memory"); /* the compiler may not drop the wipe */
	}
}

void buf_fini(struct buf *b)
{
	wipe(b, b->mem, b->cap);
	free(b->mem);
	ledger_refund(b->holder, b->cap);
	b->mem = NULL;
	b->head = b->tail = b->cap = 0;
}

/* To memory of this size, the content at its front. */
static int move_to(struct buf *b, size_t cap)
{
	size_t len = buf_len(b);
	uint8_t *mem;

	if (b->secret) {
		mem = malloc(cap);
		if (!mem)
			return -ENOMEM;
		if (len)
			memcpy(mem, b->mem + b->head, len);
		wipe(b, b->mem, b->cap);
		free(b->mem);
	} else {
		if (b->head && len)
			memmove(b->mem, b->mem + b->head, len);
		b->head = 0;
		b->tail = len;
		mem = realloc(b->mem, cap);
		if (!mem)
			return -ENOMEM;
	}
	b->mem = mem;
	b->cap = cap;
	b->head = 0;
	b->tail = len;
	return 0;
}

/* Move the content to the front, or to bigger memory. One byte more than asked for keeps buf_cstr cheap. */
static int make_room(struct buf *b, size_t n)
{
	size_t len = buf_len(b), cap, more;
	int rc;

	if (n > b->max || len > b->max - n)
		return -ERR_TOO_BIG;
	if (b->cap && b->cap - b->tail > n)
		return 0;
	if (b->cap > len + n && b->head >= len) { /* moving costs less than what was consumed */
		memmove(b->mem, b->mem + b->head, len);
		b->head = 0;
		b->tail = len;
		return 0;
	}
	cap = MAX_OF(b->cap, (size_t)64);
	while (cap <= len + n)
		cap *= 2;
	more = cap - b->cap;
	rc = ledger_charge(b->holder, more);
	if (rc < 0)
		return rc;
	rc = move_to(b, cap);
	if (rc < 0)
		ledger_refund(b->holder, more);
	return rc;
}

int buf_reserve(struct buf *b, size_t n, uint8_t **ret)
{
	int rc = make_room(b, n);

	if (rc < 0)
		return rc;
	*ret = b->mem + b->tail;
	return 0;
}

void buf_commit(struct buf *b, size_t n)
{
	CHECK(n <= b->cap - b->tail);
	b->tail += n;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	uint8_t *to;
	int rc;

	if (n == 0)
		return 0;
	rc = buf_reserve(b, n, &to);
	if (rc < 0)
		return rc;
	memcpy(to, p, n);
	buf_commit(b, n);
	return 0;
}

int buf_append_str(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n, rc;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	rc = buf_reserve(b, (size_t)n, &to); /* make_room leaves the byte for the NUL */
	if (rc < 0)
		return rc;
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_commit(b, (size_t)n);
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	CHECK(n <= buf_len(b));
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

void buf_truncate(struct buf *b, size_t len)
{
	CHECK(len <= buf_len(b));
	b->tail = b->head + len;
}

void buf_remove(struct buf *b, size_t at, size_t n)
{
	CHECK(at <= buf_len(b) && n <= buf_len(b) - at);
	if (n)
		memmove(b->mem + b->head + at, b->mem + b->head + at + n, buf_len(b) - at - n);
	b->tail -= n;
}

void buf_clear(struct buf *b)
{
	b->head = b->tail = 0;
}

const char *buf_cstr(struct buf *b)
{
	if (make_room(b, 0) < 0)
		return NULL;
	b->mem[b->tail] = 0;
	return (const char *)b->mem + b->head;
}
