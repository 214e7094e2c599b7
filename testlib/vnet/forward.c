#include "testlib/vnet/internal.h"

#include <stdlib.h>

/*
 * The way of a packet:
 *
 *   socket -> pkt_send_take -> leave (link out) -> [event] -> arrive (link in, a second event if it delays) -> receive
 *                                 ^                                                                             |
 *                                 +---- forward: rules, NAT, firewall <---- not for this device ----------------+
 */
static void arrive(struct vnet_event *e);

struct pkt *pkt_new(struct vnet *v, int proto, struct ipport src, struct ipport dst,
	const void *data, size_t len)
{
	struct pkt *p = calloc(1, sizeof(*p) + len);

	CHECK(p);
	p->ev.fire = arrive;
	p->v = v;
	p->proto = proto;
	p->src = src;
	p->dst = dst;
	p->len = len;
	if (len)
		memcpy(p->data, data, len);
	list_push_tail(&v->pkts, &p->link);
	return p;
}

static struct pkt *pkt_copy(const struct pkt *p)
{
	struct pkt *c = pkt_new(p->v, p->proto, p->src, p->dst, p->data, p->len);

	c->at = p->at;
	c->hops = p->hops;
	c->flags = p->flags;
	c->seq = p->seq;
	c->ack = p->ack;
	c->crossed = p->crossed;
	return c;
}

void pkt_free(struct pkt *p)
{
	heap_remove(&p->v->events, &p->ev.at);
	list_remove(&p->link);
	free(p);
}

static void digest(struct vnet *v, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		v->digest = (v->digest ^ b[i]) * 1099511628211u;
}

void note_pkt(struct vnet *v, const struct vnet_dev *at, const char *verb, const struct pkt *p)
{
	char src[IPPORT_TEXT_MAX], dst[IPPORT_TEXT_MAX];
	const char *what = "";
	uint8_t sum[20];

	store_be64(sum, (uint64_t)v->now);
	store_be64(sum + 8, (uint64_t)p->src.port << 48 | (uint64_t)p->dst.port << 32 | p->len);
	store_be32(sum + 16, load_be32(p->dst.ip.b) ^ load_be32(p->src.ip.b));
	digest(v, sum, sizeof(sum));
	digest(v, verb, strlen(verb));
	digest(v, p->data, MIN_OF(p->len, (size_t)32));
	if (!v->trace)
		return;
	if (p->proto == VNAT_UDP && v->what)
		what = v->what(p->data, p->len);
	vnet_note(v, "%-10s %-10s %s %s > %s %zu %s%s%s%s%s", at->name, verb,
		p->proto == VNAT_UDP ? "udp" : "tcp", ipport_format(p->src, src),
		ipport_format(p->dst, dst), p->len, what, p->flags & SEG_SYN ? "S" : "",
		p->flags & SEG_ACK ? "." : "", p->flags & SEG_FIN ? "F" : "",
		p->flags & SEG_RST ? "R" : "");
}

static void drop(struct vnet_dev *at, struct pkt *p, const char *why, uint64_t *count)
{
	++*count;
	note_pkt(p->v, at, why, p);
	pkt_free(p);
}

static bool chance(struct vnet *v, unsigned ppm)
{
	return ppm && rng_below(&v->rng.rng, 1000000) < ppm;
}

/* When a packet that enters a link now leaves it, in the order of entry or not. */
static mono_ns through(struct vnet *v, const struct vnet_link *l, mono_ns *last)
{
	mono_ns at = v->now + l->delay +
		     (l->jitter ? (mono_ns)rng_below(&v->rng.rng, (uint64_t)l->jitter) : 0);

	if (chance(v, l->reorder_ppm)) {
		v->n.reordered++;
		return at + l->delay + l->jitter + MSEC(1);
	}
	if (at <= *last)
		at = *last + 1;
	*last = at;
	return at;
}

/* p enters a link; what comes out of it, once or twice or not at all, arrives as an event. */
static void cross(struct vnet_dev *d, struct pkt *p, const struct vnet_link *l, mono_ns *last)
{
	struct vnet *v = p->v;

	if (chance(v, l->loss_ppm)) {
		drop(d, p, "lost", &v->n.lost);
		return;
	}
	if (chance(v, l->dup_ppm)) {
		struct pkt *again = pkt_copy(p);

		v->n.duplicated++;
		vnet_at(v, &again->ev, through(v, l, last));
	}
	vnet_at(v, &p->ev, through(v, l, last));
}

static bool if_owns(const struct vnet_if *i, struct ipaddr a)
{
	for (size_t k = 0; k < i->n_addrs; k++)
		if (ipaddr_eq(i->addrs[k], a))
			return true;
	return false;
}

bool dev_owns(const struct vnet_dev *d, struct ipaddr a)
{
	for (size_t i = 0; i < d->n_ifs; i++)
		if (if_owns(d->ifs[i], a))
			return true;
	return false;
}

static bool has_family(const struct vnet_if *i, uint8_t family)
{
	for (size_t k = 0; k < i->n_addrs; k++)
		if (i->addrs[k].family == family)
			return true;
	return false;
}

/* The interface of the segment that an address is behind, and how exactly that is known. */
static struct vnet_if *seg_find(
	const struct vnet_seg *s, struct ipaddr to, const struct vnet_dev * not, int *ret_bits)
{
	struct vnet_if *best = NULL;

	*ret_bits = -1;
	list_for_each(l, &s->ifs) {
		struct vnet_if *i = container_of(l, struct vnet_if, link);

		if (i->dev != not &&if_owns(i, to)) {
			*ret_bits = 129;
			return i;
		}
	}
	for (size_t k = 0; k < s->n_routes; k++) {
		struct vnet_if *via = s->routes[k].via;

		if (via->dev == not || via->seg != s || !ipprefix_contains(s->routes[k].to, to) ||
			s->routes[k].to.bits <= *ret_bits)
			continue;
		best = via;
		*ret_bits = s->routes[k].to.bits;
	}
	return best;
}

bool vnet_route_find(const struct vnet_dev *d, struct ipaddr to, struct vnet_if **ret_out,
	struct vnet_if **ret_next)
{
	int best = -1;

	for (size_t i = 0; i < d->n_ifs; i++) {
		struct vnet_if *next;
		int bits;

		if (d->ifs[i]->down || !has_family(d->ifs[i], to.family))
			continue;
		next = seg_find(d->ifs[i]->seg, to, d, &bits);
		if (!next || bits <= best)
			continue;
		best = bits;
		*ret_out = d->ifs[i];
		*ret_next = next;
	}
	return best >= 0;
}

struct ipaddr source_for(const struct vnet_dev *d, struct ipaddr to)
{
	struct vnet_if *out, *next;

	if (dev_owns(d, to))
		return to;
	if (vnet_route_find(d, to, &out, &next))
		for (size_t k = 0; k < out->n_addrs; k++)
			if (out->addrs[k].family == to.family)
				return out->addrs[k];
	return (struct ipaddr){ 0 };
}

static void leave(struct vnet_dev *d, struct vnet_if *out, struct vnet_if *next, struct pkt *p)
{
	p->at = next;
	p->crossed = false;
	cross(d, p, &out->out, &out->out_last);
}

void pkt_send_take(struct vnet_dev *d, struct pkt *p)
{
	struct vnet_if *out, *next;

	p->v->n.sent++;
	note_pkt(p->v, d, "send", p);
	if (!p->forged && !dev_owns(d, p->src.ip)) {
		drop(d, p, "bad-source", &p->v->n.bad_source);
	} else if (dev_owns(d, p->dst.ip)) {
		p->at = d->ifs[0];
		p->crossed = true;
		vnet_at(p->v, &p->ev, p->v->now + USEC(10));
	} else if (!vnet_route_find(d, p->dst.ip, &out, &next)) {
		drop(d, p, "no-route", &p->v->n.no_route);
	} else {
		leave(d, out, next, p);
	}
}

static void deliver(struct vnet_dev *d, struct pkt *p)
{
	if (p->proto == VNAT_TCP) {
		note_pkt(p->v, d, "deliver", p);
		p->v->n.delivered++;
		stream_on_segment(d, p);
		pkt_free(p);
		return;
	}
	list_for_each(l, &d->udps) {
		struct vnet_udp *u = container_of(l, struct vnet_udp, link);

		if (u->port != p->dst.port)
			continue;
		note_pkt(p->v, d, "deliver", p);
		p->v->n.delivered++;
		u->on_packet(u->ctx, p->src, p->data, p->len); /* may close u */
		pkt_free(p);
		return;
	}
	drop(d, p, "no-socket", &p->v->n.no_socket);
}

static bool rules_allow(const struct vnet_dev *d, const struct pkt *p)
{
	if (d->block_udp && p->proto == VNAT_UDP)
		return false;
	return !d->only_tcp_port || (p->proto == VNAT_TCP && p->dst.port == d->only_tcp_port);
}

static struct vnat *nat_of(const struct vnet_dev *d, const struct pkt *p)
{
	return p->dst.ip.family == 4 ? d->nat4 : d->nat6;
}

static void send_on(struct vnet_dev *d, struct pkt *p)
{
	struct vnet_if *out, *next;

	if (vnet_route_find(d, p->dst.ip, &out, &next))
		leave(d, out, next, p);
	else
		drop(d, p, "no-route", &p->v->n.no_route);
}

static struct ipaddr wan_addr(const struct vnet_dev *d, uint8_t family)
{
	for (size_t k = 0; k < d->wan->n_addrs; k++)
		if (d->wan->addrs[k].family == family)
			return d->wan->addrs[k];
	return (struct ipaddr){ 0 };
}

static void from_wan(struct vnet_dev *d, struct pkt *p)
{
	struct vnat *nat = nat_of(d, p);
	struct ipport to = p->dst;

	if (nat && vnat_in(nat, p->proto, p->src, p->dst, p->v->now, &to) == VNAT_DROP) {
		drop(d, p, "unasked", &p->v->n.nat_dropped);
		return;
	}
	p->dst = to;
	if (dev_owns(d, p->dst.ip)) /* nothing listens on a router */
		drop(d, p, "no-socket", &p->v->n.no_socket);
	else
		send_on(d, p);
}

/* To the router's own outside address: back in, if the kind allows it. */
static void hairpin(struct vnet_dev *d, struct pkt *p)
{
	struct vnat *nat = nat_of(d, p);
	struct ipport src, dst;

	if (!nat || !vnat_kind_of(nat)->hairpin ||
		vnat_out(nat, p->proto, p->src, p->dst, p->dst.ip, p->v->now, &src) == VNAT_DROP ||
		vnat_in(nat, p->proto, src, p->dst, p->v->now, &dst) == VNAT_DROP) {
		drop(d, p, "no-hairpin", &p->v->n.nat_dropped);
		return;
	}
	p->src = src;
	p->dst = dst;
	send_on(d, p);
}

static void from_lan(struct vnet_dev *d, struct pkt *p)
{
	struct vnet_if *out, *next;
	struct vnat *nat = nat_of(d, p);

	if (!rules_allow(d, p)) {
		drop(d, p, "filtered", &p->v->n.filtered);
	} else if (if_owns(d->wan, p->dst.ip)) {
		hairpin(d, p);
	} else if (!vnet_route_find(d, p->dst.ip, &out, &next)) {
		drop(d, p, "no-route", &p->v->n.no_route);
	} else if (out == d->wan && nat &&
		   vnat_out(nat, p->proto, p->src, p->dst, wan_addr(d, p->dst.ip.family), p->v->now,
			   &p->src) == VNAT_DROP) {
		drop(d, p, "nat-full", &p->v->n.nat_dropped);
	} else {
		leave(d, out, next, p);
	}
}

static void receive(struct vnet_if *at, struct pkt *p)
{
	struct vnet_dev *d = at->dev;

	if (at->down)
		drop(d, p, "if-down", &p->v->n.if_down);
	else if (++p->hops > VNET_HOPS_MAX)
		drop(d, p, "hop-limit", &p->v->n.no_route);
	else if (d->wan && at == d->wan)
		from_wan(d, p);
	else if (d->wan)
		from_lan(d, p);
	else if (dev_owns(d, p->dst.ip))
		deliver(d, p);
	else
		drop(d, p, "not-ours", &p->v->n.no_route);
}

static bool is_wire(const struct vnet_link *l)
{
	return !(l->delay || l->jitter || l->loss_ppm || l->dup_ppm || l->reorder_ppm);
}

static void arrive(struct vnet_event *e)
{
	struct pkt *p = container_of(e, struct pkt, ev);
	struct vnet_if *at = p->at;

	if (p->crossed) {
		receive(at, p);
		return;
	}
	p->crossed = true;
	if (is_wire(&at->in))
		receive(at, p);
	else
		cross(at->dev, p, &at->in, &at->in_last);
}
