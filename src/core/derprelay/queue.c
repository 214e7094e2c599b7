/*
 * Packets that wait. The memory is the receiver's to be emptied and the sender's to be charged: nobody can fill it with what others
 * pay for. A full queue loses a packet of who has most in it, so that who floods a receiver pushes out himself.
 */
#include "core/derprelay/internal.h"
#include "proto/disco/disco.h"

#include <stdlib.h>

enum { CHARGE_STEP = 4096 };

/* What one key has in one queue. At most DERPRELAY_QUEUE_MAX of them: looking through all is a bounded step. */
struct flow {
	struct list link;    /* in queue->flows */
	struct list packets; /* the oldest first */
	struct queue *queue;
	struct node_pub source;
	size_t n, bytes;
};

struct packet {
	struct list link; /* in queue->packets */
	struct list in_flow;
	struct list by_sender; /* in from->sent */
	struct flow *flow;
	struct derpconn *from; /* NULL: it has left */
	size_t len;
	uint8_t frame[];
};

void queue_init(struct queue *q)
{
	list_init(&q->packets);
	list_init(&q->flows);
}

static size_t size_of(size_t frame_len)
{
	return sizeof(struct packet) + frame_len;
}

static size_t in_steps(size_t bytes)
{
	return (bytes + CHARGE_STEP - 1) / CHARGE_STEP * CHARGE_STEP;
}

/* The ledger is asked in steps: for each packet it would be as much work as all the rest. */
static bool pay(struct derpconn *c, size_t size)
{
	size_t need = in_steps(c->sent_bytes + size);

	if (need <= c->charged)
		return true;
	if (ledger_charge(c->holder, need - c->charged) < 0)
		return false;
	c->charged = need;
	return true;
}

static void give_back(struct derpconn *c, size_t keep)
{
	size_t need = in_steps(c->sent_bytes) + keep;

	if (c->charged <= need)
		return;
	ledger_refund(c->holder, c->charged - need);
	c->charged = need;
}

void queue_settle(struct derpconn *c)
{
	give_back(c, 0);
}

static void flow_free_if_empty(struct flow *f)
{
	if (f->n)
		return;
	list_remove(&f->link);
	free(f);
}

static void packet_free(struct derprelay *r, struct packet *p)
{
	struct flow *f = p->flow;
	size_t size = size_of(p->len);

	list_remove(&p->link);
	f->queue->n--;
	f->queue->bytes -= size;
	r->queued -= size;
	list_remove(&p->by_sender);
	if (p->from) {
		p->from->sent_bytes -= size;
		if (p->from->charged >= p->from->sent_bytes + 3 * CHARGE_STEP)
			give_back(p->from, CHARGE_STEP);
	} else {
		r->left -= size;
	}
	list_remove(&p->in_flow);
	f->n--;
	f->bytes -= size;
	free(p);
	flow_free_if_empty(f);
}

static bool is_of(const struct flow *f, const uint8_t *source)
{
	return !memcmp(f->source.b, source, KEY_LEN);
}

static struct flow *flow_of(struct queue *q, const uint8_t *source)
{
	struct flow *f;

	list_for_each(l, &q->flows)
		if (is_of(container_of(l, struct flow, link), source))
			return container_of(l, struct flow, link);
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->queue = q;
	memcpy(f->source.b, source, KEY_LEN);
	list_init(&f->packets);
	list_push_tail(&q->flows, &f->link);
	return f;
}

/*
 * Who has most in a full queue, with the packet that is about to come: in packets, or in bytes if those are too many. NULL: that is the
 * packet itself. Of equal ones it is the packet's own, if there is another one of it.
 */
static struct flow *heaviest(const struct queue *q, const uint8_t *source, size_t size)
{
	bool by_count = q->n == DERPRELAY_QUEUE_MAX;
	size_t own = by_count ? 1 : size, most = own - 1;
	struct flow *worst = NULL;

	list_for_each(l, &q->flows) {
		struct flow *f = container_of(l, struct flow, link);
		bool is_own = is_of(f, source);
		size_t has = (by_count ? f->n : f->bytes) + (is_own ? own : 0);

		if (has > most || (is_own && has == most)) {
			most = has;
			worst = f;
		}
	}
	return worst;
}

static bool make_room(struct derprelay *r, struct queue *q, const uint8_t *source, size_t size)
{
	while (q->n == DERPRELAY_QUEUE_MAX || q->bytes + size > DERPRELAY_QUEUE_BYTES) {
		struct flow *f = heaviest(q, source, size);

		r->n.drop_queue_head++;
		if (!f)
			return false;
		packet_free(r, container_of(f->packets.next, struct packet, in_flow));
	}
	return true;
}

/* One sender's packets may take what all others' leave free, so that the last ones to come find room as well. */
static bool sender_pays(const struct derprelay *r, struct derpconn *from, size_t size)
{
	return from->sent_bytes + size <=
		       MIN_OF((size_t)DERPRELAY_SENT_MAX, DERPRELAY_QUEUED_MAX - r->queued) &&
	       pay(from, size);
}

/* A place in the queue, its bytes still to be filled in. */
static struct packet *packet_new(
	struct queue *q, struct derpconn *from, const uint8_t *source, size_t len)
{
	size_t size = size_of(len);
	struct packet *p;
	struct flow *f;

	if (!sender_pays(from->relay, from, size))
		return NULL;
	f = flow_of(q, source);
	p = f ? malloc(size) : NULL;
	if (!p) {
		if (f)
			flow_free_if_empty(f);
		return NULL;
	}
	p->flow = f;
	p->from = from;
	p->len = len;
	list_push_tail(&q->packets, &p->link);
	list_push_tail(&f->packets, &p->in_flow);
	list_push_tail(&from->sent, &p->by_sender);
	f->n++;
	f->bytes += size;
	q->n++;
	q->bytes += size;
	from->relay->queued += size;
	from->sent_bytes += size;
	return p;
}

void queue_put(struct derpconn *dst, struct derpconn *from, const uint8_t *src_key, struct view pkt)
{
	struct derprelay *r = dst->relay;
	struct queue *q = disco_looks_like(pkt.p, pkt.len) ? &dst->disco : &dst->bulk;
	size_t len = DERP_HEADER_LEN + KEY_LEN + pkt.len;
	struct packet *p;

	if (dst->closing) {
		r->n.drop_gone++;
		return;
	}
	if (!make_room(r, q, src_key, size_of(len)))
		return;
	p = packet_new(q, from, src_key, len);
	if (!p) {
		r->n.drop_memory++;
		return;
	}
	derpframe_header(p->frame, DERP_RECV_PACKET, KEY_LEN + pkt.len);
	memcpy(p->frame + DERP_HEADER_LEN, src_key, KEY_LEN);
	if (pkt.len)
		memcpy(p->frame + DERP_HEADER_LEN + KEY_LEN, pkt.p, pkt.len);
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
	give_back(c, 0);
}
