/*
 * Packets that wait. The memory is the receiver's to be emptied and the sender's to be charged: nobody can fill it with what others
 * pay for. A full queue loses a packet of who has most in it, so that who floods a receiver pushes out himself.
 */
#include "core/derprelay/internal.h"
#include "proto/disco/disco.h"

#include <stdlib.h>

struct packet {
	struct list link; /* in queue->packets */
	struct list by_sender; /* in from->sent */
	struct queue *queue;
	struct derpconn *from; /* NULL: it has left */
	size_t len;
	uint8_t frame[];
};

void queue_init(struct queue *q)
{
	list_init(&q->packets);
}

static size_t size_of(size_t frame_len)
{
	return sizeof(struct packet) + frame_len;
}

static const uint8_t *source_of(const struct packet *p)
{
	return p->frame + DERP_HEADER_LEN;
}

static void packet_free(struct derprelay *r, struct packet *p)
{
	size_t size = size_of(p->len);

	list_remove(&p->link);
	p->queue->n--;
	p->queue->bytes -= size;
	r->queued -= size;
	list_remove(&p->by_sender);
	if (p->from)
		p->from->sent_bytes -= size;
	else
		r->left -= size;
	free(p);
}

/* Who has how much of a queue. */
struct share {
	const uint8_t *source;
	size_t n, bytes;
	struct packet *oldest; /* NULL: only the packet that is about to come */
};

static struct share *share_of(struct share *v, size_t *n, const uint8_t *source)
{
	for (size_t i = 0; i < *n; i++)
		if (v[i].source == source || !memcmp(v[i].source, source, KEY_LEN))
			return &v[i];
	v[*n] = (struct share){ .source = source };
	return &v[(*n)++];
}

/*
 * What has to go so that a packet of this source and size gets nearer to fitting: the oldest of who has most, with it. NULL: that
 * is the packet itself. At most DERPRELAY_QUEUE_MAX squared steps.
 */
static struct packet *heaviest(const struct queue *q, const uint8_t *source, size_t size)
{
	struct share v[DERPRELAY_QUEUE_MAX + 1], *worst;
	size_t n = 0;
	bool by_count = q->n == DERPRELAY_QUEUE_MAX;

	list_for_each(l, &q->packets) {
		struct packet *p = container_of(l, struct packet, link);
		struct share *s = share_of(v, &n, source_of(p));

		s->n++;
		s->bytes += size_of(p->len);
		if (!s->oldest)
			s->oldest = p;
	}
	worst = share_of(v, &n, source);
	worst->n++;
	worst->bytes += size;
	for (size_t i = 0; i < n; i++) {
		size_t a = by_count ? v[i].n : v[i].bytes, b = by_count ? worst->n : worst->bytes;

		if (a > b || (a == b && !worst->oldest))
			worst = &v[i];
	}
	return worst->oldest;
}

static bool make_room(struct derprelay *r, struct queue *q, const uint8_t *source, size_t size)
{
	while (q->n == DERPRELAY_QUEUE_MAX || q->bytes + size > DERPRELAY_QUEUE_BYTES) {
		struct packet *p = heaviest(q, source, size);

		r->n.drop_queue_head++;
		if (!p)
			return false;
		packet_free(r, p);
	}
	return true;
}

/* One sender's packets may take what all others' leave free, so that the last ones to come find room as well. */
static bool sender_may(const struct derprelay *r, const struct derpconn *from, size_t size)
{
	return from->sent_bytes + size <= MIN_OF((size_t)DERPRELAY_SENT_MAX, DERPRELAY_QUEUED_MAX - r->queued);
}

void queue_put(struct derpconn *dst, struct derpconn *from, const uint8_t *src_key, struct view pkt)
{
	struct derprelay *r = dst->relay;
	struct queue *q = disco_looks_like(pkt.p, pkt.len) ? &dst->disco : &dst->bulk;
	size_t len = DERP_HEADER_LEN + KEY_LEN + pkt.len, size = size_of(len);
	struct packet *p;

	if (dst->closing) {
		r->n.drop_gone++;
		return;
	}
	if (!make_room(r, q, src_key, size))
		return;
	p = sender_may(r, from, size) ? malloc(size) : NULL;
	if (!p) {
		r->n.drop_memory++;
		return;
	}
	p->queue = q;
	p->from = from;
	p->len = len;
	derpframe_header(p->frame, DERP_RECV_PACKET, KEY_LEN + pkt.len);
	memcpy(p->frame + DERP_HEADER_LEN, src_key, KEY_LEN);
	if (pkt.len)
		memcpy(p->frame + DERP_HEADER_LEN + KEY_LEN, pkt.p, pkt.len);
	list_push_tail(&q->packets, &p->link);
	list_push_tail(&from->sent, &p->by_sender);
	q->n++;
	q->bytes += size;
	r->queued += size;
	from->sent_bytes += size;
	r->cfg.on_output(dst->owner);
}

bool queue_write(struct derpconn *c, struct queue *q)
{
	struct packet *p;

	if (!q->n)
		return false;
	p = container_of(q->packets.next, struct packet, link);
	if (buf_append(&c->writing, p->frame, p->len) < 0)
		return false;
	c->relay->n.packets_out++;
	c->relay->n.bytes_out += p->len - DERP_HEADER_LEN - KEY_LEN;
	packet_free(c->relay, p);
	return true;
}

void queue_clear(struct derprelay *r, struct queue *q)
{
	while (!list_empty(&q->packets)) {
		packet_free(r, container_of(q->packets.next, struct packet, link));
		r->n.drop_gone++;
	}
}

void queue_sender_leaves(struct derpconn *c)
{
	struct derprelay *r = c->relay;

	while (!list_empty(&c->sent)) {
		struct packet *p = container_of(c->sent.next, struct packet, by_sender);
		size_t size = size_of(p->len);

		if (r->left + size > DERPRELAY_LEFT_MAX) {
			r->n.drop_gone++;
			packet_free(r, p);
			continue;
		}
		list_remove(&p->by_sender);
		p->from = NULL;
		c->sent_bytes -= size;
		r->left += size;
	}
}
