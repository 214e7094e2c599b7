/*
 * What a device is told that is gone: itself, with a key that has expired, and nothing else. Clients ask for a login then; at an error
 * they would ask for a map for ever.
 */
#include "core/coord/internal.h"

enum { MEM_MAX = 4 << 20 };

void poll_farewell(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct coord_node gone = *p->node; /* as it is told of itself */
	char time[TIME_RFC3339_MAX];
	struct arena a;
	struct buf text;
	int rc;

	buf_init(&text, MEM_MAX);
	arena_init(&a, MEM_MAX);
	if (!gone.expired)
		gone.doc.key_expiry = now.wall - 1;
	gone.expired = true;
	time_format_rfc3339(now.wall, time);
	rc = buf_printf(&text, "{\"ControlTime\":\"%s\",\"Node\":", time);
	if (rc == 0)
		rc = put_node(c, &gone, &gone, &a, &text);
	if (rc == 0)
		rc = buf_append_str(&text, "}");
	if (rc == 0)
		rc = message_add(p, p->raw ? piece_framed_raw(buf_view(&text))
					   : piece_framed(c, buf_view(&text)));
	arena_fini(&a);
	buf_fini(&text);
	list_remove(&p->in_node);
	heap_remove(&c->keep_alives, &p->keep_alive);
	clone_forget(p);
	retell_clear(p);
	poll_set_plain(p, true);
	p->node = NULL;
	p->last = true;
	if (rc < 0)
		poll_end(p);
	else
		message_ready(p);
}
