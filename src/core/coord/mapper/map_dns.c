/*
 * How a reader's device resolves names. What all are told is made once and shared; what is personal, for each. It is told when it is
 * another thing than before, by its hash.
 */
#include "core/coord/mapper/internal.h"
#include "base/siphash/siphash.h"

enum { MEM_MAX = 8 << 20, SHORT_MAX = 2048 /* bytes that are no frame of their own */ };

void mapper_dns_changed(struct tailnet *c, struct now now)
{
	list_for_each(l, &c->mapper->sessions)
		container_of(l, struct map_session, all)->dns_stale = true;
	c->mapper->all_due = true;
	tailnet_flush_soon(c, now);
}

static int make(const struct tailnet *c, const struct coord_node *n, struct buf *out)
{
	struct tc_dns_config doc;
	struct arena a;
	int rc;

	arena_init(&a, MEM_MAX);
	rc = dns_config_make(c, n, &a, &doc);
	if (rc == 0)
		rc = json_encode(&tc_dns_config_type, &doc, out);
	arena_fini(&a);
	return rc;
}

/* The number of its making stands in front of 0, which no settings have. */
static uint64_t dns_number(const struct tailnet *c)
{
	return c->dns_at + 1;
}

static int make_shared(struct tailnet *c)
{
	struct mapper *m = c->mapper;
	int rc;

	if (m->dns.of == dns_number(c))
		return 0;
	buf_clear(&m->dns.text);
	m->dns.frame = map_frame_put(m->dns.frame);
	m->dns.of = 0;
	rc = make(c, NULL, &m->dns.text);
	if (rc == 0)
		m->dns.of = dns_number(c);
	return rc;
}

static void put_shared(struct map_writer *d)
{
	struct tailnet *c = d->p->tailnet;
	struct mapper *m = c->mapper;
	struct view text = buf_view(&m->dns.text);

	if (text.len <= SHORT_MAX) {
		if (d->rc == 0)
			d->rc = buf_append(&d->text, text.p, text.len);
		return;
	}
	if (!m->dns.frame)
		m->dns.frame = map_frame_of(c, text.p, text.len);
	map_writer_put_frame(d, m->dns.frame);
}

static void put_text(struct map_writer *d, struct view text, bool all)
{
	uint64_t h = siphash(d->p->tailnet->seed, text.p, text.len);

	if (!all && h == d->p->dns_told)
		return;
	d->p->dns_told = h;
	map_writer_put(d, ",\"DNSConfig\":");
	if (d->rc == 0)
		d->rc = buf_append(&d->text, text.p, text.len);
}

static void put_personal(struct map_writer *d, bool all)
{
	struct buf text;

	buf_init(&text, MAP_DNS_MAX);
	d->rc = make(d->p->tailnet, d->p->node, &text);
	if (d->rc == 0)
		put_text(d, buf_view(&text), all);
	buf_fini(&text);
}

void map_dns_put(struct map_writer *d, bool all)
{
	struct tailnet *c = d->p->tailnet;
	uint64_t h;

	if (d->rc < 0)
		return;
	if (coord_node_is_alone(d->p->node)) {
		put_text(d, VIEW_LIT("{}"), all);
		return;
	}
	if (dns_is_personal(c)) {
		put_personal(d, all);
		return;
	}
	d->rc = make_shared(c);
	if (d->rc < 0)
		return;
	h = siphash(c->seed, &c->mapper->dns.of, sizeof(c->mapper->dns.of));
	if (!all && h == d->p->dns_told)
		return;
	d->p->dns_told = h;
	map_writer_put(d, ",\"DNSConfig\":");
	put_shared(d);
}
