/* Messages being put together: text, and between it frames that others share. */
#include "core/coord/mapper/internal.h"

#include <errno.h>
#include <stdarg.h>

enum { DRAFT_MAX = 1 << 28 };

void map_writer_begin(struct map_writer *d, struct map_session *p)
{
	*d = (struct map_writer){ .p = p };
	buf_init(&d->text, DRAFT_MAX);
}

void map_writer_put(struct map_writer *d, const char *fmt, ...)
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

static void flush(struct map_writer *d)
{
	if (d->rc == 0 && buf_len(&d->text))
		d->rc = map_session_add(
			d->p, map_frame_of(d->p->tailnet, buf_data(&d->text), buf_len(&d->text)));
	buf_clear(&d->text);
}

void map_writer_put_frame(struct map_writer *d, struct map_frame *q)
{
	flush(d);
	if (d->rc == 0)
		d->rc = q ? map_session_add(d->p, map_frame_get(q)) : -ENOMEM;
}

int map_writer_end(struct map_writer *d)
{
	flush(d);
	buf_fini(&d->text);
	return d->rc < 0 ? d->rc : map_session_finish(d->p);
}

void map_writer_drop(struct map_writer *d)
{
	buf_fini(&d->text);
}
