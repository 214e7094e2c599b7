/* Keep-alives: one message for all readers of a kind to whom it goes at about the same time. */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { KEEP_ALIVE_SHARED_MS = 100 };

/* Borrowed: one for all readers of a kind to whom it goes at about the same time. */
static struct map_frame *keep_alive_message(struct map_session *p, unix_ms wall)
{
	struct tailnet *c = p->tailnet;
	struct map_frame **q = &c->mapper->keep_alive[p->raw];
	char time[TIME_RFC3339_MAX];
	struct buf text;
	int rc;

	if (wall < c->mapper->keep_alive_at ||
		wall - c->mapper->keep_alive_at >= KEEP_ALIVE_SHARED_MS) {
		c->mapper->keep_alive[0] = map_frame_put(c->mapper->keep_alive[0]);
		c->mapper->keep_alive[1] = map_frame_put(c->mapper->keep_alive[1]);
		c->mapper->keep_alive_at = wall;
	}
	if (*q)
		return *q;
	time_format_rfc3339(wall, time);
	buf_init(&text, 96);
	rc = buf_printf(&text, "{\"KeepAlive\":true,\"ControlTime\":\"%s\"}", time);
	if (rc == 0)
		*q = p->raw ? map_frame_message_raw(buf_view(&text))
			    : map_frame_message(c, buf_view(&text));
	buf_fini(&text);
	return *q;
}

static int make_keep_alive(struct map_session *p, struct now now)
{
	struct map_frame *q = keep_alive_message(p, now.wall);
	int rc = q ? map_session_add(p, map_frame_get(q)) : -ENOMEM;

	p->tailnet->stats.messages += rc == 0;
	return rc;
}

/* Goes before the message that is held. */
static int make_keep_alive_ahead(struct map_session *p, struct now now)
{
	struct map_frame *q;

	if (p->alive)
		return 0; /* nobody read the last one */
	q = keep_alive_message(p, now.wall);
	p->alive = q ? map_frame_get(q) : NULL;
	p->tailnet->stats.messages++;
	return q ? 0 : -ENOMEM;
}

void keep_alive_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	while ((h = heap_pop_due(&c->mapper->keep_alives, now.mono))) {
		struct map_session *p = container_of(h, struct map_session, keep_alive);
		int rc = map_session_is_held(p) ? make_keep_alive_ahead(p, now)
			 : p->n                 ? 0
						: make_keep_alive(p, now);

		if (rc < 0 || map_session_rearm(p, now) < 0)
			map_session_end(p);
		else
			c->cfg.on_map_ready(p->owner);
	}
}
