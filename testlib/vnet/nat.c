#include "testlib/vnet/nat.h"

#include <stdlib.h>

/*
 * A mapping lives as long as one of its flows. `remote` is what the mapping was made for: unset when mappings are
 * endpoint-independent, without a port when they depend on the address alone. A mapping without an inside host is one
 * that an unsolicited packet made: it only occupies the port.
 */
struct flow {
	struct ipport remote;
	mono_ns expires;
};

struct mapping {
	int proto;
	struct ipport in, ext, remote;
	struct flow *flows;
	size_t n_flows;
};

struct vnat {
	const struct vnat_kind *kind;
	struct rng *rng;
	struct mapping *mappings;
	size_t n_mappings, cap;
	uint16_t next_port;
};

#define CONE .translates = true, .mapping = VNAT_ENDPOINT_INDEPENDENT, .ports = VNAT_PRESERVE
#define TIMEOUTS .udp_timeout = SEC(30), .tcp_timeout = SEC(7440)

const struct vnat_kind vnat_full_cone = { .name = "full-cone",
	CONE,
	.filtering = VNAT_ENDPOINT_INDEPENDENT,
	.hairpin = true,
	.inbound_refreshes = true,
	TIMEOUTS };
const struct vnat_kind vnat_restricted = { .name = "restricted",
	CONE,
	.filtering = VNAT_ADDRESS_DEPENDENT,
	.inbound_refreshes = true,
	TIMEOUTS };
const struct vnat_kind vnat_easy = { .name = "easy",
	CONE,
	.filtering = VNAT_ADDRESS_AND_PORT_DEPENDENT,
	.inbound_refreshes = true,
	TIMEOUTS };
const struct vnat_kind vnat_hard = { .name = "hard",
	.translates = true,
	.mapping = VNAT_ADDRESS_AND_PORT_DEPENDENT,
	.filtering = VNAT_ADDRESS_AND_PORT_DEPENDENT,
	.ports = VNAT_RANDOM,
	.inbound_refreshes = true,
	TIMEOUTS };
const struct vnat_kind vnat_linux_open = { .name = "linux-open",
	.translates = true,
	.mapping = VNAT_ADDRESS_AND_PORT_DEPENDENT,
	.filtering = VNAT_ADDRESS_AND_PORT_DEPENDENT,
	.ports = VNAT_PRESERVE,
	.inbound_refreshes = true,
	.unsolicited_takes_port = true,
	TIMEOUTS };
const struct vnat_kind vnat_firewall = { .name = "firewall",
	.mapping = VNAT_ENDPOINT_INDEPENDENT,
	.filtering = VNAT_ADDRESS_AND_PORT_DEPENDENT,
	.inbound_refreshes = true,
	TIMEOUTS };

struct vnat *vnat_new(const struct vnat_kind *kind, struct rng *rng)
{
	struct vnat *n = calloc(1, sizeof(*n));

	CHECK(n);
	n->kind = kind;
	n->rng = rng;
	n->next_port = 1024;
	return n;
}

struct vnat *vnat_free(struct vnat *n)
{
	if (!n)
		return NULL;
	vnat_forget(n);
	free(n->mappings);
	free(n);
	return NULL;
}

const struct vnat_kind *vnat_kind_of(const struct vnat *n)
{
	return n->kind;
}

void vnat_forget(struct vnat *n)
{
	for (size_t i = 0; i < n->n_mappings; i++)
		free(n->mappings[i].flows);
	n->n_mappings = 0;
}

static void flows_expire(struct mapping *m, mono_ns now)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_flows; i++)
		if (m->flows[i].expires > now)
			m->flows[kept++] = m->flows[i];
	m->n_flows = kept;
}

static void expire(struct vnat *n, mono_ns now)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n_mappings; i++) {
		struct mapping *m = &n->mappings[i];

		flows_expire(m, now);
		if (m->n_flows)
			n->mappings[kept++] = *m;
		else
			free(m->flows);
	}
	n->n_mappings = kept;
}

size_t vnat_mappings(const struct vnat *n, mono_ns now)
{
	size_t alive = 0;

	for (size_t i = 0; i < n->n_mappings; i++)
		for (size_t k = 0; k < n->mappings[i].n_flows; k++)
			if (n->mappings[i].flows[k].expires > now) {
				alive++;
				break;
			}
	return alive;
}

/* As much of a remote as a dependency looks at. */
static struct ipport seen_by(enum vnat_dep dep, struct ipport remote)
{
	switch (dep) {
	case VNAT_ENDPOINT_INDEPENDENT:
		return (struct ipport){ 0 };
	case VNAT_ADDRESS_DEPENDENT:
		remote.port = 0;
		return remote;
	case VNAT_ADDRESS_AND_PORT_DEPENDENT:
		return remote;
	}
	abort();
}

static mono_ns timeout_of(const struct vnat *n, int proto)
{
	return proto == VNAT_UDP ? n->kind->udp_timeout : n->kind->tcp_timeout;
}

static struct flow *flow_find(struct mapping *m, struct ipport remote)
{
	for (size_t i = 0; i < m->n_flows; i++)
		if (ipport_eq(m->flows[i].remote, remote))
			return &m->flows[i];
	return NULL;
}

static struct flow *flow_oldest(struct mapping *m)
{
	struct flow *old = &m->flows[0];

	for (size_t i = 1; i < m->n_flows; i++)
		if (m->flows[i].expires < old->expires)
			old = &m->flows[i];
	return old;
}

static void flow_keep(struct vnat *n, struct mapping *m, struct ipport remote, mono_ns now)
{
	struct flow *f = flow_find(m, remote);

	if (!f && m->n_flows == VNAT_FLOWS_MAX) {
		f = flow_oldest(m);
	} else if (!f) {
		m->flows = realloc(m->flows, (m->n_flows + 1) * sizeof(*m->flows));
		CHECK(m->flows);
		f = &m->flows[m->n_flows++];
	}
	*f = (struct flow){ .remote = remote, .expires = now + timeout_of(n, m->proto) };
}

static struct mapping *mapping_add(struct vnat *n, const struct mapping *m)
{
	if (n->n_mappings == VNAT_MAPPINGS_MAX)
		return NULL;
	if (n->n_mappings == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 8;
		n->mappings = realloc(n->mappings, n->cap * sizeof(*n->mappings));
		CHECK(n->mappings);
	}
	n->mappings[n->n_mappings] = *m;
	return &n->mappings[n->n_mappings++];
}

/* May two mappings share an outside port? Only if each is for one remote, and these differ. */
static bool distinct(struct ipport remote_a, struct ipport remote_b)
{
	return ipaddr_is_set(remote_a.ip) && ipaddr_is_set(remote_b.ip) &&
	       !ipport_eq(remote_a, remote_b);
}

static bool port_free(const struct vnat *n, int proto, struct ipport ext, struct ipport remote)
{
	for (size_t i = 0; i < n->n_mappings; i++) {
		const struct mapping *m = &n->mappings[i];

		if (m->proto == proto && ipport_eq(m->ext, ext) && !distinct(m->remote, remote))
			return false;
	}
	return true;
}

static uint16_t port_after(uint16_t port)
{
	return port == UINT16_MAX ? 1024 : (uint16_t)(port + 1);
}

static uint16_t first_port(struct vnat *n, uint16_t inside)
{
	switch (n->kind->ports) {
	case VNAT_PRESERVE:
		return inside;
	case VNAT_RANDOM:
		return (uint16_t)(1024 + rng_below(n->rng, 65536 - 1024));
	case VNAT_SEQUENTIAL:
		return n->next_port = port_after(n->next_port);
	}
	abort();
}

static bool choose_port(struct vnat *n, int proto, struct ipport from, struct ipport remote,
	struct ipaddr wan, struct ipport *ret)
{
	struct ipport ext = { .ip = wan, .port = first_port(n, from.port) };

	for (int tries = 0; tries < 65536; tries++, ext.port = port_after(ext.port))
		if (port_free(n, proto, ext, remote)) {
			*ret = ext;
			return true;
		}
	return false;
}

/* A mapping to another outside address is of a time before the router got its present one. */
static struct mapping *find_inside(
	struct vnat *n, int proto, struct ipport from, struct ipport remote, struct ipaddr wan)
{
	for (size_t i = 0; i < n->n_mappings; i++) {
		struct mapping *m = &n->mappings[i];

		if (m->proto == proto && ipport_eq(m->in, from) && ipport_eq(m->remote, remote) &&
			(!n->kind->translates || ipaddr_eq(m->ext.ip, wan)))
			return m;
	}
	return NULL;
}

int vnat_out(struct vnat *n, int proto, struct ipport from, struct ipport to, struct ipaddr wan,
	mono_ns now, struct ipport *ret)
{
	struct ipport remote = seen_by(n->kind->mapping, to);
	struct mapping *m, made = { .proto = proto, .in = from, .ext = from, .remote = remote };

	expire(n, now);
	m = find_inside(n, proto, from, remote, wan);
	if (!m) {
		if (n->kind->translates && !choose_port(n, proto, from, remote, wan, &made.ext))
			return VNAT_DROP;
		m = mapping_add(n, &made);
	}
	if (!m)
		return VNAT_DROP;
	flow_keep(n, m, to, now);
	*ret = m->ext;
	return 0;
}

static bool lets_in(const struct vnat *n, const struct mapping *m, struct ipport from)
{
	struct ipport seen = seen_by(n->kind->filtering, from);

	if (!ipaddr_is_set(m->in.ip))
		return false;
	for (size_t i = 0; i < m->n_flows; i++)
		if (ipport_eq(seen_by(n->kind->filtering, m->flows[i].remote), seen))
			return true;
	return false;
}

static void occupy(struct vnat *n, int proto, struct ipport from, struct ipport to, mono_ns now)
{
	struct mapping made = { .proto = proto,
		.ext = to,
		.remote = seen_by(n->kind->mapping, from) },
		       *m = NULL;

	if (port_free(n, proto, to, made.remote))
		m = mapping_add(n, &made);
	if (m)
		flow_keep(n, m, from, now);
}

int vnat_in(struct vnat *n, int proto, struct ipport from, struct ipport to, mono_ns now,
	struct ipport *ret)
{
	expire(n, now);
	for (size_t i = 0; i < n->n_mappings; i++) {
		struct mapping *m = &n->mappings[i];

		if (m->proto != proto || !ipport_eq(m->ext, to) || !lets_in(n, m, from))
			continue;
		if (n->kind->inbound_refreshes)
			flow_keep(n, m, from, now);
		*ret = m->in;
		return 0;
	}
	if (n->kind->unsolicited_takes_port)
		occupy(n, proto, from, to, now);
	return VNAT_DROP;
}

void vnat_check(const struct vnat *n, mono_ns now)
{
	CHECK(n->n_mappings <= VNAT_MAPPINGS_MAX);
	for (size_t i = 0; i < n->n_mappings; i++) {
		const struct mapping *a = &n->mappings[i];

		CHECK(a->n_flows && a->n_flows <= VNAT_FLOWS_MAX);
		CHECK(n->kind->translates || ipport_eq(a->in, a->ext));
		for (size_t k = 0; k < a->n_flows; k++)
			CHECK(a->flows[k].expires <= now + timeout_of(n, a->proto));
		for (size_t k = 0; k < i; k++) {
			const struct mapping *b = &n->mappings[k];

			CHECK(a->proto != b->proto || !ipport_eq(a->ext, b->ext) ||
				distinct(a->remote, b->remote));
		}
	}
}
