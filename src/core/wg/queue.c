/*
 * What came out and was not taken yet, in order. An item points to memory of the owner's, which stays until it is taken, or to memory
 * here: messages of handshakes, inner packets as an array. All of it begins anew when all was taken.
 */
#include "core/wg/internal.h"

#include <stdlib.h>

bool wg_queue_has_room(const struct wg_device *d, size_t n)
{
	return QUEUE_MAX - d->queue.n >= n && MESSAGES_MAX - d->queue.n_messages >= n;
}

bool wg_queue_add(struct wg_device *d, struct wg_out o)
{
	struct queue *q = &d->queue;

	if (q->n == QUEUE_MAX) {
		d->counters.out_dropped += o.n ? o.n : 1;
		return false;
	}
	q->v[q->n++] = (struct queued){ .out = o };
	return true;
}

void wg_queue_add_staged(struct wg_device *d, struct wg_peer *p, mono_ns now)
{
	if (wg_queue_add(d, (struct wg_out){ .kind = WG_OUT_DATAGRAMS, .peer = p })) {
		d->queue.v[d->queue.n - 1].staged = true;
		d->queue.v[d->queue.n - 1].at = now;
	}
}

struct message *wg_queue_message(struct wg_device *d, size_t len)
{
	struct message *m;

	CHECK(len <= WG_COPY_MAX + PKT_TAILROOM);
	if (d->queue.n_messages == MESSAGES_MAX) {
		d->counters.out_dropped++;
		return NULL;
	}
	m = &d->queue.messages[d->queue.n_messages++];
	m->pkt = pkt_in(m->mem, len);
	return m;
}

/* The array goes on while the batches of a device are being taken; each datagram gives one packet at most. */
struct pkt *wg_queue_inner(struct wg_device *d, size_t n)
{
	struct queue *q = &d->queue;

	if (n > PKT_BATCH_MAX - q->n_inner) {
		d->counters.out_dropped += n;
		return NULL;
	}
	return &q->inner[q->n_inner];
}

void wg_queue_add_inner(struct wg_device *d, struct wg_peer *p, size_t n)
{
	struct queue *q = &d->queue;

	(void)wg_queue_add(d,
		(struct wg_out){
			.kind = WG_OUT_PACKETS, .peer = p, .pkt = &q->inner[q->n_inner], .n = n });
	q->n_inner += n;
}

struct queued *wg_queue_head(struct wg_device *d)
{
	struct queue *q = &d->queue;

	while (q->next < q->n && q->v[q->next].gone)
		q->next++;
	if (q->next < q->n)
		return &q->v[q->next];
	q->n = q->next = q->n_messages = q->n_inner = 0;
	return NULL;
}

void wg_queue_pop(struct wg_device *d)
{
	d->queue.next++;
}

void wg_queue_forget_peer(struct wg_device *d, const struct wg_peer *p)
{
	struct queue *q = &d->queue;

	for (size_t i = q->next; i < q->n; i++)
		q->v[i].gone |= q->v[i].out.peer == p;
}
