/* Life, settings, and packets for the service addresses. */
#include "daemon/dns/internal.h"
#include "os/log/log.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <stdlib.h>

static void on_packets(void *ctx, struct pkt *pkt, size_t n)
{
	struct dnsd *d = ctx;

	quad100_in(d->quad100, pkt, n);
	dnsd_take_questions(d);
}

/* ---- Settings ---- */

/* Our address of each family: where the listeners for TCP are. */
static void listen_where_we_are(struct dnsd *d)
{
	const struct node_net_config *c = node_net_config(d->e->node);
	struct ipaddr own[2] = { 0 };
	struct ipport at[2];

	for (size_t i = c->up ? c->n_addrs : 0; i-- > 0;)
		own[c->addrs[i].ip.family == 6] = c->addrs[i].ip;
	dnsd_listeners_set(d->listeners, own, at);
	quad100_set_tcp_dns(d->quad100, 4, at[0]);
	quad100_set_tcp_dns(d->quad100, 6, at[1]);
	node_port_open(d->e->node, NODE_PORT_QUAD100, c->up);
}

static void configure(struct dnsd *d)
{
	int rc = dns_configure(d->dns, node_dns_config(d->e->node), engine_now(d->e));

	if (rc < 0)
		log_warn("dns", "the settings for names could not be taken; those of before stay",
			"err=%s", err_text(rc));
}

void dnsd_changed(struct dnsd *d)
{
	d->changed = true;
}

void dnsd_set_base(struct dnsd *d, const struct ipaddr *servers, size_t n)
{
	n = MIN_OF(n, (size_t)DNSD_BASE_MAX);
	for (size_t i = 0; i < n; i++)
		d->base[i] =
			(struct dns_upstream){ .transport = DNS_UDP, .addr = { servers[i], 53 } };
	d->n_base = n;
	if (dns_set_base(d->dns, d->base, n, engine_now(d->e)) < 0)
		log_warn("dns", "no memory for the system's servers", NULL);
	dnsd_run(d);
}

void dnsd_network_changed(struct dnsd *d)
{
	dnsd_udp_close_all(d->udp);
	dnsd_streams_close_all(d->streams);
	dnsd_h2_close_all(d->h2);
	dnsd_exit_close_all(d->exit);
	dns_network_changed(d->dns, engine_now(d->e));
	dnsd_run(d);
}

void dnsd_begun(struct dnsd *d)
{
	if (d->e->net)
		net_set_quad100(d->e->net, on_packets, d);
	dnsd_changed(d);
}

void dnsd_ends(struct dnsd *d)
{
	static const struct dns_config nothing;

	/* The names are the engine's, which goes. */
	if (dns_configure(d->dns, &nothing, engine_now(d->e)) < 0)
		abort(); /* nothing needs no memory */
	dnsd_run(d);
}

void dnsd_turn_end(struct dnsd *d)
{
	if (d->changed && d->e->node) {
		d->changed = false;
		listen_where_we_are(d);
		configure(d);
	}
	dnsd_run(d);
}

/* ---- Time ---- */

mono_ns dnsd_deadline(const struct dnsd *d)
{
	mono_ns at = MIN_OF(dns_deadline(d->dns), dnsd_udp_deadline(d->udp));

	at = MIN_OF(at, dnsd_streams_deadline(d->streams));
	at = MIN_OF(at, dnsd_h2_deadline(d->h2));
	at = MIN_OF(at, dnsd_exit_deadline(d->exit));
	return MIN_OF(at, dnsd_listeners_deadline(d->listeners));
}

void dnsd_tick(struct dnsd *d, struct now now)
{
	dns_tick(d->dns, now);
	dnsd_udp_tick(d->udp, now.mono);
	dnsd_streams_tick(d->streams, now.mono);
	dnsd_h2_tick(d->h2, now.mono);
	dnsd_exit_tick(d->exit, now.mono);
	dnsd_listeners_tick(d->listeners, now.mono);
	dnsd_run(d);
}

/* ---- Life ---- */

int dnsd_new(struct dnsd **ret, struct engine *e, struct dialer *dialer)
{
	struct dnsd *d = calloc(1, sizeof(*d));
	struct dnsd_env env = {
		.e = e, .dialer = dialer, .sink = { dnsd_on_reply, dnsd_on_failed, d }
	};
	int rc;

	if (!d)
		return -ENOMEM;
	d->e = e;
	env.n = &d->n;
	list_init(&d->askers);
	rc = dns_new(&d->dns, e->rng);
	if (rc == 0)
		rc = quad100_new(&d->quad100);
	if (rc == 0)
		rc = dnsd_udp_new(&d->udp, &env);
	if (rc == 0)
		rc = dnsd_streams_new(&d->streams, &env);
	if (rc == 0)
		rc = dnsd_h2_new(&d->h2, &env);
	if (rc == 0)
		rc = dnsd_exit_new(&d->exit, &env);
	if (rc == 0)
		rc = dnsd_listeners_new(&d->listeners, d, e->loop, &d->n);
	if (rc < 0)
		dnsd_free(d);
	else
		*ret = d;
	return rc;
}

struct dnsd *dnsd_free(struct dnsd *d)
{
	if (!d)
		return NULL;
	dnsd_listeners_free(d->listeners);
	dnsd_exit_free(d->exit);
	dnsd_h2_free(d->h2);
	dnsd_streams_free(d->streams);
	dnsd_udp_free(d->udp);
	dns_free(d->dns);
	quad100_free(d->quad100);
	free(d->slots);
	free(d);
	return NULL;
}

const struct dns *dnsd_engine(const struct dnsd *d)
{
	return d->dns;
}

const struct dnsd_io_counters *dnsd_io_counters(const struct dnsd *d)
{
	return &d->n;
}

const struct quad100_counters *dnsd_quad100_counters(const struct dnsd *d)
{
	return quad100_counters(d->quad100);
}
