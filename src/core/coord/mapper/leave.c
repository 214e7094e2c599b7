/*
 * A device leaves. It is told that it is gone: itself, with a key that has expired, and nothing else. Clients ask for a login then; at
 * an error they would ask for a map for ever.
 */
#include "core/coord/mapper/internal.h"

enum { MEM_MAX = 4 << 20 };

static void send_key_expired(struct map_session *p, struct now now)
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
		rc = map_node_put(c, &gone, &gone, &a, &text);
	if (rc == 0)
		rc = buf_append_str(&text, "}");
	if (rc == 0)
		rc = map_session_add(p, p->raw ? map_frame_message_raw(buf_view(&text))
					       : map_frame_message(c, buf_view(&text)));
	arena_fini(&a);
	buf_fini(&text);
	map_session_let_go(p);
	if (rc < 0)
		map_session_end(p);
	else
		map_session_ready(p);
}

void mapper_forget_node(struct tailnet *c, struct coord_node *n)
{
	list_for_each_safe(l, &n->sessions)
		map_session_end(container_of(l, struct map_session, in_node));
	clones_forget(c, n);
	say_forget(n);
	presence_forget(n);
	coord_node_free(c, n);
}

void mapper_drop_node(struct tailnet *c, struct coord_node *n, struct now now)
{
	tailnet_tell(c, COORD_DEVICE_LEFT, n);
	list_for_each_safe(l, &n->sessions)
		send_key_expired(container_of(l, struct map_session, in_node), now);
	tailnet_key_is_out(c, &n->doc.key);
	policy_sync_gone(c, n);
	coord_node_note_removed(c, n);
	mapper_forget_node(c, n);
	tailnet_flush_soon(c, now);
}

void mapper_remove_node(struct tailnet *c, struct coord_node *n, struct now now)
{
	store_delete(c, COORD_NODE, n->doc.id); /* first: what its readers are told waits for it */
	mapper_drop_node(c, n, now);
}

void leave_tick(struct tailnet *c, struct now now)
{
	struct coord_node *n;

	while ((n = presence_ephemeral_due(c, now)))
		mapper_remove_node(c, n, now);
}
