/* The engine's questions go to the transports, and its answers to who asked. */
#include "daemon/dns/internal.h"
#include "base/vec/vec.h"

#include <errno.h>
#include <stdlib.h>

/* Of clients over UDP; the rest is the number of the slot, from 1. */
static const uint64_t is_slot = (uint64_t)1 << 63;

/* ---- Who asks ---- */

void dnsd_join(struct dnsd *d, struct dnsd_asker *a)
{
	a->id = ++d->last_id;
	list_push_tail(&d->askers, &a->link);
}

void dnsd_leave(struct dnsd *d, struct dnsd_asker *a)
{
	if (!a->id)
		return;
	list_remove(&a->link);
	dns_forget(d->dns, a->id);
	a->id = 0;
}

bool dnsd_ask(struct dnsd *d, struct dnsd_asker *a, struct view msg)
{
	struct dns_client who = { .id = a->id, .group = a->group, .stream = true, .peer = a->peer };
	bool asked = dns_ask(d->dns, who, msg, engine_now(d->e));

	dnsd_run(d);
	return asked;
}

/* 0: there is no place. */
static size_t slot_take(struct dnsd *d)
{
	size_t i = d->free_slot;

	if (i) {
		d->free_slot = d->slots[i - 1].next;
		return i;
	}
	if (d->n_slots == d->cap_slots &&
		vec_grow(&d->slots, &d->cap_slots, sizeof(*d->slots), DNS_WAITERS_MAX) < 0)
		return 0;
	return ++d->n_slots;
}

static void slot_give(struct dnsd *d, size_t i)
{
	d->slots[i - 1].next = d->free_slot;
	d->free_slot = i;
}

static void ask_for(struct dnsd *d, const struct quad100_question *q)
{
	size_t i = slot_take(d);
	struct dns_client who = { .id = is_slot | i, .group = (uint64_t)1 << 32 | q->client.port };

	if (!i) {
		d->n.clients_full++;
		return;
	}
	d->slots[i - 1] = (struct dnsd_slot){ .client = q->client, .service = q->service };
	if (!dns_ask(d->dns, who, q->msg, engine_now(d->e)))
		slot_give(d, i);
}

/* ---- Answers ---- */

static void packets_out(struct dnsd *d)
{
	struct pkt *p;
	size_t n = quad100_next_packets(d->quad100, &p);

	if (n && d->e->net)
		net_port_in(d->e->net, NODE_PORT_QUAD100, p, n);
}

static void answer(struct dnsd *d, const struct dns_out *o)
{
	size_t i = (size_t)(o->who.id & ~is_slot);

	if (o->who.id & is_slot) {
		struct dnsd_slot s = d->slots[i - 1];

		slot_give(d, i);
		if (quad100_is_full(d->quad100))
			packets_out(d);
		quad100_answer(d->quad100, s.service, s.client, o->msg);
		return;
	}
	list_for_each(l, &d->askers) {
		struct dnsd_asker *a = container_of(l, struct dnsd_asker, link);

		if (a->id == o->who.id) {
			a->answer(a, o->msg);
			return;
		}
	}
}

/* ---- Questions to servers ---- */

static int send_question(struct dnsd *d, const struct dns_out *o)
{
	switch (o->to->transport) {
	case DNS_UDP:
		return dnsd_udp_send(d->udp, o->exchange, o->to->addr, o->msg);
	case DNS_TCP:
	case DNS_TLS:
		return dnsd_streams_send(d->streams, o->exchange, o->to, o->msg);
	case DNS_HTTPS:
		return dnsd_h2_send(d->h2, o->exchange, o->to, o->msg);
	case DNS_PEER:
		return dnsd_exit_send(d->exit, o->exchange, o->to, o->msg);
	}
	return -ERR_UNSUPPORTED;
}

static void cancel(struct dnsd *d, uint64_t exchange)
{
	(void)(dnsd_udp_cancel(d->udp, exchange) || dnsd_streams_cancel(d->streams, exchange) ||
		dnsd_h2_cancel(d->h2, exchange) || dnsd_exit_cancel(d->exit, exchange));
}

void dnsd_run(struct dnsd *d)
{
	struct dns_out o;

	/* An answer may make its owner ask the next question: that one is taken by the loop below. */
	if (d->running)
		return;
	d->running = true;
	while (dns_next(d->dns, &o)) {
		int rc = 0;

		if (o.kind == DNS_ANSWER)
			answer(d, &o);
		else if (o.kind == DNS_CANCEL)
			cancel(d, o.exchange);
		else
			rc = send_question(d, &o);
		if (rc < 0)
			dns_failed(d->dns, o.exchange, rc, engine_now(d->e));
	}
	d->running = false;
	packets_out(d);
}

void dnsd_take_questions(struct dnsd *d)
{
	struct quad100_question q;

	while (quad100_next_question(d->quad100, &q)) {
		ask_for(d, &q);
		dnsd_run(d);
	}
	packets_out(d);
}

/* ---- What the transports tell: the engine is heard when they are done with what they do ---- */

static void on_soon(void *ctx)
{
	dnsd_run(ctx);
}

bool dnsd_on_reply(void *ctx, uint64_t exchange, struct view msg)
{
	struct dnsd *d = ctx;
	bool over = dns_reply(d->dns, exchange, msg, engine_now(d->e));

	loop_soon(d->e->loop, &d->soon, on_soon, d);
	return over;
}

void dnsd_on_failed(void *ctx, uint64_t exchange, int rc)
{
	struct dnsd *d = ctx;

	dns_failed(d->dns, exchange, rc, engine_now(d->e));
	loop_soon(d->e->loop, &d->soon, on_soon, d);
}
