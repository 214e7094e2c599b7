/* What the owner is to do, in order. */
#include "core/dns/internal.h"

static void push(struct dns *d, const struct dns_out *o, struct view msg)
{
	struct out *q = malloc(sizeof(*q) + msg.len);

	if (!q) {
		d->n.no_memory++; /* who asked asks again */
		return;
	}
	if (msg.len)
		memcpy(q->bytes, msg.p, msg.len);
	q->o = *o;
	q->o.msg = view_of(q->bytes, msg.len);
	list_push_tail(&d->out, &q->link);
}

void out_answer(struct dns *d, const struct ask *a, size_t len)
{
	if (a->own) {
		place_heard(d, a, view_of(d->scratch, len));
		return;
	}
	d->n.answered++;
	push(d, &(struct dns_out){ .kind = DNS_ANSWER, .who = a->who }, view_of(d->scratch, len));
}

void out_error(struct dns *d, const struct ask *a, uint16_t rcode)
{
	struct wcur w = wcur_over(d->scratch, sizeof(d->scratch));
	bool cut;

	answer_begin(&w, a, rcode & DNSMSG_RCODE);
	out_answer(d, a, answer_end(&w, a, (uint8_t)(rcode >> 4), &cut));
}

void out_reply(struct dns *d, const struct ask *a, const struct cached *c)
{
	struct wcur w = wcur_over(d->scratch, sizeof(d->scratch));
	bool cut;
	size_t len;

	/* Only a server that refused leaves the question out; programs want to see it. */
	if (!load_be16(c->msg.p + 4)) {
		out_error(d, a, load_be16(c->msg.p + 2) & DNSMSG_RCODE);
		return;
	}
	len = answer_from(&w, a, c->msg, c->age, c->stale, &cut);
	d->n.truncated += cut;
	d->n.stale += c->stale;
	out_answer(d, a, len);
}

void out_send(struct dns *d, const struct exchange *e, struct view msg)
{
	d->n.sent++;
	d->n.sent_tcp += e->transport == DNS_TCP || e->transport == DNS_TLS;
	d->n.sent_doh += e->transport == DNS_HTTPS || e->transport == DNS_PEER;
	push(d, &(struct dns_out){ .kind = DNS_SEND, .exchange = e->number, .to = &e->to }, msg);
}

/* A question that was not sent yet needs no end. */
static bool take_back(struct dns *d, uint64_t exchange)
{
	list_for_each_safe(p, &d->out) {
		struct out *q = container_of(p, struct out, link);

		if (q->o.kind != DNS_SEND || q->o.exchange != exchange)
			continue;
		list_remove(p);
		free(q);
		return true;
	}
	return false;
}

void out_cancel(struct dns *d, uint64_t exchange)
{
	if (!take_back(d, exchange))
		push(d, &(struct dns_out){ .kind = DNS_CANCEL, .exchange = exchange },
			view_of(NULL, 0));
}

void out_drop(struct dns *d)
{
	struct list *p;

	while ((p = list_pop_head(&d->out)))
		free(container_of(p, struct out, link));
	free(d->taken);
	d->taken = NULL;
}
