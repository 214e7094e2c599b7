/* Messages being put together: text, and between it pieces that others share. */
#include "core/coord/mapper/internal.h"

#include <errno.h>
#include <stdarg.h>

enum { DRAFT_MAX = 1 << 28 };

void draft_begin(struct draft *d, struct coord_poll *p)
{
	*d = (struct draft){ .p = p };
	buf_init(&d->text, DRAFT_MAX);
}

void draft_put(struct draft *d, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	CHECK(n >= 0 && (size_t)n < sizeof(text));
	if (d->rc == 0)
		d->rc = buf_append(&d->text, text, (size_t)n);
}

static void flush(struct draft *d)
{
	if (d->rc == 0 && buf_len(&d->text))
		d->rc = message_add(
			d->p, piece_of(d->p->tailnet, buf_data(&d->text), buf_len(&d->text)));
	buf_clear(&d->text);
}

void draft_shared(struct draft *d, struct piece *q)
{
	flush(d);
	if (d->rc == 0)
		d->rc = q ? message_add(d->p, piece_get(q)) : -ENOMEM;
}

int draft_end(struct draft *d)
{
	flush(d);
	buf_fini(&d->text);
	return d->rc < 0 ? d->rc : message_finish(d->p);
}

void draft_drop(struct draft *d)
{
	buf_fini(&d->text);
}
