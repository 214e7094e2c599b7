/*
 * What a device is told whose key is no good: itself, with a key that has expired, and nothing else. Clients ask for a login then;
 * at an error they would ask for a map for ever.
 */
#include "core/ctlserver/world.h"

enum { MEM_MAX = 4 << 20 };

unix_ms expiry_to_tell(const struct ctl_node_doc *d)
{
	return d->key_expiry - CTL_EXPIRED_BEFORE_MS;
}

int put_expired_self(struct ctl *c, struct node *n, const struct node_pub *key, struct now now, struct buf *out)
{
	struct ctl_node_doc *d = &n->doc;
	struct node_pub own = d->key;
	unix_ms expiry = d->key_expiry;
	bool expired = n->expired;
	char time[TIME_RFC3339_MAX];
	struct arena a;
	int rc;

	arena_init(&a, MEM_MAX);
	d->key = *key;
	d->key_expiry = expired ? expiry : now.wall - 1;
	n->expired = true;
	time_format_rfc3339(now.wall, time);
	rc = buf_printf(out, "{\"ControlTime\":\"%s\",\"Node\":", time);
	if (rc == 0)
		rc = put_node(c, n, n, &a, out);
	d->key = own;
	d->key_expiry = expiry;
	n->expired = expired;
	arena_fini(&a);
	return rc < 0 ? rc : buf_append_str(out, "}");
}

void poll_farewell(struct ctl_poll *p, struct now now)
{
	struct ctl *c = p->ctl;
	struct buf text;
	int rc;

	buf_init(&text, MEM_MAX);
	rc = put_expired_self(c, p->node, &p->node->doc.key, now, &text);
	if (rc == 0)
		rc = message_add(p, p->raw ? piece_framed_raw(buf_view(&text)) : piece_framed(c, buf_view(&text)));
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
