#include "testlib/vnet/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

struct vnet *vnet_new(uint64_t seed)
{
	struct vnet *v = calloc(1, sizeof(*v));

	CHECK(v);
	v->now = SEC(1);
	v->seed = seed;
	v->digest = 14695981039346656037u;
	rng_seeded_init(&v->rng, seed);
	list_init(&v->devs);
	list_init(&v->segs);
	list_init(&v->pkts);
	return v;
}

static void dev_free(struct vnet_dev *d)
{
	streams_free(d);
	while (!list_empty(&d->udps))
		vnet_udp_close(container_of(d->udps.next, struct vnet_udp, link));
	while (!list_empty(&d->listeners)) {
		struct list *l = list_pop_head(&d->listeners);

		free(l); /* link is first in struct vnet_listener */
	}
	for (size_t i = 0; i < d->n_ifs; i++)
		free(d->ifs[i]);
	vnat_free(d->nat4);
	vnat_free(d->nat6);
	free(d);
}

struct vnet *vnet_free(struct vnet *v)
{
	struct list *l;

	if (!v)
		return NULL;
	while (!list_empty(&v->pkts))
		pkt_free(container_of(v->pkts.next, struct pkt, link));
	while ((l = list_pop_head(&v->devs)))
		dev_free(container_of(l, struct vnet_dev, link));
	while ((l = list_pop_head(&v->segs)))
		free(container_of(l, struct vnet_seg, link));
	heap_fini(&v->events);
	free(v);
	return NULL;
}

mono_ns vnet_now(const struct vnet *v)
{
	return v->now;
}

struct rng *vnet_rng(struct vnet *v)
{
	return &v->rng.rng;
}

void vnet_fork(struct vnet *v, struct rng_seeded *ret)
{
	rng_seeded_init(ret, v->seed * 0x9e3779b97f4a7c15u + ++v->n_forks);
}

const struct vnet_counters *vnet_counters(const struct vnet *v)
{
	return &v->n;
}

uint64_t vnet_digest(const struct vnet *v)
{
	return v->digest;
}

void vnet_at(struct vnet *v, struct vnet_event *e, mono_ns at)
{
	if (at < v->now)
		at = v->now;
	CHECK(heap_set(&v->events, &e->at, at) == 0);
}

bool vnet_step(struct vnet *v, mono_ns until)
{
	struct heap_node *n = heap_pop_due(&v->events, until);
	struct vnet_event *e;

	if (!n) {
		v->now = until;
		return false;
	}
	e = container_of(n, struct vnet_event, at);
	CHECK(n->at >= v->now); /* time never goes back */
	v->now = n->at;
	v->n.events++;
	e->fire(e);
	return true;
}

void vnet_run(struct vnet *v, mono_ns until)
{
	while (vnet_step(v, until))
		;
}

static void check_addrs(struct vnet_seg *s)
{
	list_for_each(l, &s->ifs) {
		struct vnet_if *a = container_of(l, struct vnet_if, link);

		CHECK(a->seg == s && a->n_addrs <= IF_ADDRS_MAX);
		for (struct list *k = l->next; k != &s->ifs; k = k->next) {
			struct vnet_if *b = container_of(k, struct vnet_if, link);

			for (size_t x = 0; x < a->n_addrs; x++)
				for (size_t y = 0; y < b->n_addrs; y++)
					CHECK(!ipaddr_eq(a->addrs[x],
						b->addrs[y])); /* two hosts with one address */
		}
	}
}

void vnet_check(struct vnet *v)
{
	CHECK(heap_deadline(&v->events) >= v->now);
	list_for_each(l, &v->segs)
		check_addrs(container_of(l, struct vnet_seg, link));
	list_for_each(l, &v->devs) {
		struct vnet_dev *d = container_of(l, struct vnet_dev, link);

		if (d->nat4)
			vnat_check(d->nat4, v->now);
		if (d->nat6)
			vnat_check(d->nat6, v->now);
		streams_check(d);
	}
}

void vnet_trace(struct vnet *v, FILE *out, const char *(*what)(const uint8_t *p, size_t len))
{
	v->trace = out;
	v->what = what;
}

void vnet_note(struct vnet *v, const char *fmt, ...)
{
	va_list ap;

	if (!v->trace)
		return;
	fprintf(v->trace, "%12.6f  ", (double)v->now / 1e9);
	va_start(ap, fmt);
	vfprintf(v->trace, fmt, ap);
	va_end(ap);
	fputc('\n', v->trace);
}

struct vnet_seg *vnet_seg(struct vnet *v, const char *name)
{
	struct vnet_seg *s = calloc(1, sizeof(*s));

	CHECK(s);
	s->v = v;
	snprintf(s->name, sizeof(s->name), "%s", name);
	list_init(&s->ifs);
	list_push_tail(&v->segs, &s->link);
	return s;
}

struct vnet_dev *vnet_host(struct vnet *v, const char *name)
{
	struct vnet_dev *d = calloc(1, sizeof(*d));

	CHECK(d);
	d->v = v;
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->next_port = (uint16_t)(32768 + rng_below(&v->rng.rng, 20000));
	list_init(&d->udps);
	list_init(&d->streams);
	list_init(&d->listeners);
	list_push_tail(&v->devs, &d->link);
	return d;
}

const char *vnet_name(const struct vnet_dev *d)
{
	return d->name;
}

struct vnet_if *vnet_plug(struct vnet_dev *d, struct vnet_seg *s)
{
	struct vnet_if *i = calloc(1, sizeof(*i));

	CHECK(i && d->n_ifs < DEV_IFS_MAX);
	i->dev = d;
	i->seg = s;
	d->ifs[d->n_ifs++] = i;
	list_push_tail(&s->ifs, &i->link);
	return i;
}

void vnet_link(struct vnet_if *i, const struct vnet_link *out, const struct vnet_link *in)
{
	if (out)
		i->out = *out;
	if (in)
		i->in = *in;
}

void vnet_addr_add(struct vnet_if *i, const char *addr)
{
	CHECK(i->n_addrs < IF_ADDRS_MAX);
	CHECK(ipaddr_parse(addr, strlen(addr), &i->addrs[i->n_addrs]) == 0);
	i->n_addrs++;
}

void vnet_addr_clear(struct vnet_if *i)
{
	i->n_addrs = 0;
}

size_t vnet_addrs(const struct vnet_dev *d, struct ipaddr *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_ifs; i++)
		for (size_t k = 0; k < d->ifs[i]->n_addrs && n < max; k++)
			if (!d->ifs[i]->down)
				ret[n++] = d->ifs[i]->addrs[k];
	return n;
}

struct ipaddr vnet_addr(const struct vnet_dev *d, uint8_t family)
{
	for (size_t i = 0; i < d->n_ifs; i++)
		for (size_t k = 0; k < d->ifs[i]->n_addrs; k++)
			if (d->ifs[i]->addrs[k].family == family)
				return d->ifs[i]->addrs[k];
	return (struct ipaddr){ 0 };
}

void vnet_if_up(struct vnet_if *i, bool up)
{
	i->down = !up;
}

void vnet_up(struct vnet_dev *d, bool up)
{
	for (size_t i = 0; i < d->n_ifs; i++)
		vnet_if_up(d->ifs[i], up);
}

void vnet_replug(struct vnet_if *i, struct vnet_seg *s)
{
	list_remove(&i->link);
	i->seg = s;
	i->n_addrs = 0;
	list_push_tail(&s->ifs, &i->link);
}

void vnet_route(struct vnet_seg *s, const char *prefix, struct vnet_if *via)
{
	CHECK(s->n_routes < SEG_ROUTES_MAX && via->seg == s);
	CHECK(ipprefix_parse(prefix, strlen(prefix), &s->routes[s->n_routes].to) == 0);
	s->routes[s->n_routes++].via = via;
}

void vnet_make_router(struct vnet_dev *d, struct vnet_if *wan, const struct vnat_kind *kind4,
	const struct vnat_kind *kind6)
{
	CHECK(!d->wan && wan->dev == d);
	d->wan = wan;
	d->nat4 = kind4 ? vnat_new(kind4, &d->v->rng.rng) : NULL;
	d->nat6 = kind6 ? vnat_new(kind6, &d->v->rng.rng) : NULL;
}

void vnet_router_rules(struct vnet_dev *d, bool block_udp, uint16_t only_tcp_port)
{
	d->block_udp = block_udp;
	d->only_tcp_port = only_tcp_port;
}

void vnet_router_reboot(struct vnet_dev *d)
{
	if (d->nat4)
		vnat_forget(d->nat4);
	if (d->nat6)
		vnat_forget(d->nat6);
}

struct vnet_udp *vnet_udp_open(struct vnet_dev *d, uint16_t port,
	void (*on_packet)(void *ctx, struct ipport from, const uint8_t *p, size_t len), void *ctx)
{
	struct vnet_udp *u = calloc(1, sizeof(*u));

	CHECK(u);
	list_for_each(l, &d->udps)
		CHECK(container_of(l, struct vnet_udp, link)->port != port);
	*u = (struct vnet_udp){ .dev = d, .port = port, .on_packet = on_packet, .ctx = ctx };
	list_push_tail(&d->udps, &u->link);
	return u;
}

struct vnet_udp *vnet_udp_close(struct vnet_udp *u)
{
	if (!u)
		return NULL;
	list_remove(&u->link);
	free(u);
	return NULL;
}

int vnet_udp_send(struct vnet_udp *u, struct ipport to, const void *p, size_t len)
{
	struct ipport from = { source_for(u->dev, to.ip), u->port };

	return vnet_udp_forge(u, from, to, p, len);
}

int vnet_udp_forge(
	struct vnet_udp *u, struct ipport from, struct ipport to, const void *p, size_t len)
{
	struct pkt *pkt;

	if (!ipaddr_is_set(from.ip))
		return -ENETUNREACH;
	if (len + (to.ip.family == 4 ? 28 : 48) > VNET_MTU) {
		u->dev->v->n.too_big++;
		return -EMSGSIZE;
	}
	pkt = pkt_new(u->dev->v, VNAT_UDP, from, to, p, len);
	pkt->forged = true;
	pkt_send_take(u->dev, pkt);
	return 0;
}
