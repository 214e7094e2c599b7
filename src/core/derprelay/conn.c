/* What a connection is told, beside packets. */
#include "core/derprelay/internal.h"

/* The owner closes when it gets to it; until then the connection takes and gives nothing. */
void conn_ask_close(struct derpconn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->relay->cfg.on_close(c->owner);
}

void conn_control(
	struct derpconn *c, enum derpframe_type type, const struct view *parts, size_t n_parts)
{
	uint8_t head[DERP_HEADER_LEN];
	size_t len = 0;
	int rc;

	if (c->closing)
		return;
	for (size_t i = 0; i < n_parts; i++)
		len += parts[i].len;
	derpframe_header(head, type, len);
	rc = buf_len(&c->control) + len + sizeof(head) > DERPRELAY_CONTROL_MAX
		     ? -ERR_TOO_BIG
		     : buf_append(&c->control, head, sizeof(head));
	for (size_t i = 0; i < n_parts && rc == 0; i++)
		rc = buf_append(&c->control, parts[i].p, parts[i].len);
	if (rc < 0) {
		c->relay->n.closed_slow++;
		conn_ask_close(c);
		return;
	}
	c->relay->cfg.on_output(c->owner);
}

void conn_send_gone(struct derpconn *c, const struct node_pub *key, enum derp_gone reason)
{
	uint8_t why = (uint8_t)reason;

	c->relay->n.peer_gone_sent++;
	conn_control(c, DERP_PEER_GONE,
		(struct view[]){ view_of(key->b, KEY_LEN), view_of(&why, 1) }, 2);
}

void conn_send_present(struct derpconn *to, const struct derpconn *c)
{
	uint8_t tail[16 + 2 + 1], flags;

	flags = (uint8_t)((c->mesh ? DERP_PRESENT_MESH : 0) |
			  (c->prober ? DERP_PRESENT_PROBER : 0) |
			  (c->not_ideal ? DERP_PRESENT_NOT_IDEAL : 0));
	ipaddr_to16(c->remote.ip, tail);
	store_be16(tail + 16, c->remote.port);
	tail[18] = flags ? flags : DERP_PRESENT_REGULAR;
	conn_control(to, DERP_PEER_PRESENT,
		(struct view[]){ view_of(c->client->key.b, KEY_LEN), view_of(tail, sizeof(tail)) },
		2);
}
