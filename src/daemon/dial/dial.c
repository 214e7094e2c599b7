/*
 * A stream to somewhere: from a name or address to bytes.
 *
 *	address, hints --> CONNECTING --next address after a failure or ADDRESS_TIMEOUT--> ... --> UP --> closed
 *	a name --> LOOKUP --addresses--> CONNECTING        none left --> the owner is told from the loop, never from inside
 *
 * A dial that its owner closed is an orphan: it ends in silence.
 */
#include "daemon/dial/internal.h"
#include "os/route/route.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

#define ADDRESS_TIMEOUT SEC(2) /* for one address, while there is another */
#define LOOKUP_TIMEOUT \
	SEC(8) /* who dials is patient for 10 s, and is to hear that it was the name */

/* One run of the system's resolver, which may take its time in a thread of libuv's. */
struct dial_lookup {
	uv_getaddrinfo_t req;
	struct dialer *d;
	struct dial *of; /* NULL: nobody waits any more, or a STUN server's name */
	char host[DIAL_HOST_MAX];
	bool stun;
};

static void try_next(struct dial *k);

/* ---- Why it failed ---- */

/* How far a try came: of several addresses, the one that came farthest tells what is wrong. */
static int how_far(int rc)
{
	switch (-rc) {
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return 0; /* this device lacks the family */
	case ERR_NO_NAME:
	case ERR_NO_RESOLVER:
	case EHOSTUNREACH:
		return 1;
	case ETIMEDOUT:
		return 2;
	case ECONNREFUSED:
	case ECONNRESET:
		return 3;
	default:
		return 4;
	}
}

static void note_failure(struct dial *k, int rc)
{
	if (!k->rc || how_far(rc) >= how_far(k->rc))
		k->rc = rc;
}

/* Of getaddrinfo: is it the name that is wrong, or the resolver? */
static int lookup_failure(int status)
{
	return status == 0 || status == UV_EAI_NONAME || status == UV_EAI_NODATA ||
			       status == UV_EAI_ADDRFAMILY
		       ? -ERR_NO_NAME
	       : status == UV_EAI_MEMORY || status == UV_ENOMEM ? -ENOMEM
								: -ERR_NO_RESOLVER;
}

/* ---- Names ---- */

static size_t take_addresses(const struct addrinfo *ai, struct ipaddr out[static DIAL_ADDRS_MAX])
{
	size_t n = 0;

	for (; ai && n < DIAL_ADDRS_MAX; ai = ai->ai_next) {
		if (ai->ai_family == AF_INET)
			out[n++] = ipaddr_from4((const uint8_t *)&(
				(const struct sockaddr_in *)(const void *)ai->ai_addr)
							->sin_addr);
		else if (ai->ai_family == AF_INET6)
			out[n++] = ipaddr_from16((const uint8_t *)&(
				(const struct sockaddr_in6 *)(const void *)ai->ai_addr)
							 ->sin6_addr);
	}
	return n;
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
	struct dial_lookup *l = container_of(req, struct dial_lookup, req);
	struct ipaddr addr[DIAL_ADDRS_MAX];
	size_t n = status == 0 ? take_addresses(ai, addr) : 0;
	struct dialer *d = l->d;
	struct dial *k = l->of;

	uv_freeaddrinfo(ai);
	d->n_lookups--;
	if (l->stun && d->e->node) {
		node_resolved(d->e->node, l->host, addr, n, engine_now(d->e));
	} else if (k) {
		k->lookup = NULL;
		if (!n)
			note_failure(k, lookup_failure(status));
		memcpy(k->addr, addr, n * sizeof(*addr));
		k->n_addrs = n;
		k->at = 0;
		try_next(k);
	}
	free(l);
}

static struct dial_lookup *lookup_begin(struct dialer *d, const char *host, struct dial *of)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG };
	struct dial_lookup *l;

	d->n.lookups++;
	if (d->n_lookups == DIAL_LOOKUPS_MAX || strlen(host) >= DIAL_HOST_MAX ||
		!(l = calloc(1, sizeof(*l)))) {
		d->n.lookups_refused++;
		return NULL;
	}
	*l = (struct dial_lookup){ .d = d, .of = of, .stun = !of };
	snprintf(l->host, sizeof(l->host), "%s", host);
	if (uv_getaddrinfo(loop_uv(d->e->loop), &l->req, on_looked_up, host, NULL, &hints) != 0) {
		d->n.lookups_refused++;
		free(l);
		return NULL;
	}
	d->n_lookups++;
	return l;
}

void dial_resolve(struct dialer *d, const char *host)
{
	/* Without a free place there is no answer: netcheck goes on with the servers that it has. */
	(void)lookup_begin(d, host, NULL);
}

/* ---- Life ---- */

static void dial_free(struct dial *k)
{
	list_remove(&k->link);
	if (k->lookup)
		k->lookup->of = NULL;
	k->timer = loop_timer_free(k->timer);
	free(k);
}

/* Nothing is left to try. Called from the loop. */
static void fail(struct dial *k)
{
	const struct dial_ops *ops = k->ops;
	void *owner = k->owner;
	int rc = k->rc ? k->rc : -ERR_CLOSED;

	dial_free(k);
	if (ops)
		ops->closed(owner, rc);
}

static void on_timer(void *ctx)
{
	struct dial *k = ctx;

	if (k->lookup) {
		note_failure(k, -ERR_NO_RESOLVER);
		fail(k); /* the resolver's thread comes back to nobody */
	} else if (k->s) {
		note_failure(k, -ETIMEDOUT);
		stream_close(k->s); /* on_closed goes on */
	} else {
		fail(k);
	}
}

/* ---- Streams ---- */

static void on_connected(void *owner)
{
	struct dial *k = owner;

	if (!k->ops)
		return;
	k->up = true;
	k->rc = 0;
	loop_timer_set(k->timer, MONO_NEVER);
	k->ops->up(k->owner);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct dial *k = owner;

	/* The bytes are in the loop's scratch memory: ours to change until the next callback. */
	return k->ops ? k->ops->data(k->owner, (uint8_t *)(uintptr_t)p, len) : -ERR_CLOSED;
}

static struct view output(void *owner)
{
	struct dial *k = owner;

	return k->ops ? k->ops->output(k->owner) : view_of("", 0);
}

static void written(void *owner, size_t n)
{
	struct dial *k = owner;

	if (k->ops)
		k->ops->written(k->owner, n);
}

static void on_closed(void *owner, int rc)
{
	struct dial *k = owner;

	k->s = NULL;
	if (!k->ops) {
		dial_free(k);
		return;
	}
	if (rc)
		note_failure(k, rc);
	if (k->up)
		fail(k);
	else
		try_next(k);
}

static const struct stream_ops stream_ops = { on_connected, on_data, output, written, on_closed,
	NULL };

static int connect_to(struct dial *k, struct ipaddr ip)
{
	struct ipport to = { .ip = ip, .port = k->port };
	unsigned mark = k->by_routes && engine_routes_to(k->d->e, ip) ? 0 : ROUTE_MARK;
	int rc = stream_connect(k->d->e->loop, to, k->tls, k->name, mark, &stream_ops, k, &k->s);

	/* What cannot be offered is as an address that does not answer: on_closed goes on. */
	if (rc == 0 && k->alpn && k->tls && stream_offer(k->s, k->alpn) < 0)
		stream_close(k->s);
	return rc;
}

/* The next address; when they are used up and there is a name, what the resolver says of it. */
static void try_next(struct dial *k)
{
	mono_ns now = loop_now(k->d->e->loop).mono;

	while (k->at < k->n_addrs) {
		int rc = connect_to(k, k->addr[k->at++]);

		if (rc < 0) {
			note_failure(k, rc);
		} else {
			loop_timer_set(k->timer, k->at < k->n_addrs || !k->looked_up
							 ? mono_add(now, ADDRESS_TIMEOUT)
							 : MONO_NEVER);
			return;
		}
	}
	if (!k->looked_up) {
		k->looked_up = true;
		k->lookup = lookup_begin(k->d, k->host, k);
		if (k->lookup) {
			loop_timer_set(k->timer, mono_add(now, LOOKUP_TIMEOUT));
			return;
		}
		note_failure(k, -EAGAIN);
	}
	loop_timer_set(k->timer, now); /* from the loop: we may be inside the engine */
}

/* ---- Opening and closing ---- */

static struct dial *dial_new(struct dialer *d, const struct node_dial *to,
	const struct dial_how *how, const struct dial_ops *ops, void *owner)
{
	struct dial *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	*k = (struct dial){ .d = d, .ops = ops, .owner = owner, .port = to->port };
	if (how) {
		k->by_routes = how->by_routes;
		k->alpn = how->alpn;
		k->looked_up = how->n_addrs > 0;
	}
	snprintf(k->host, sizeof(k->host), "%s", to->host);
	snprintf(k->name, sizeof(k->name), "%s", to->name ? to->name : to->host);
	if (loop_timer_new(d->e->loop, on_timer, k, &k->timer) < 0) {
		free(k);
		return NULL;
	}
	list_push_tail(&d->dials, &k->link);
	return k;
}

static void add_address(struct dial *k, struct ipaddr ip)
{
	for (size_t i = 0; i < k->n_addrs; i++)
		if (ipaddr_eq(k->addr[i], ip))
			return;
	if (ipaddr_is_set(ip) && k->n_addrs < DIAL_ADDRS_MAX)
		k->addr[k->n_addrs++] = ip;
}

struct dial *dial_open(struct dialer *d, const struct node_dial *to, const struct dial_how *how,
	const struct dial_ops *ops, void *owner)
{
	struct dial *k = dial_new(d, to, how, ops, owner);
	struct ipaddr ip;

	if (!k)
		return NULL;
	if (!dialer_tls_for(d, to, &k->tls)) {
		k->rc = -ERR_TLS;
		loop_timer_set(k->timer, loop_now(d->e->loop).mono);
		return k;
	}
	for (size_t i = 0; how && i < how->n_addrs; i++)
		add_address(k, how->addrs[i]);
	if (!k->n_addrs && ipaddr_parse(to->host, strlen(to->host), &ip) == 0) {
		k->looked_up = true; /* nothing to ask anybody */
		add_address(k, ip);
	}
	for (size_t i = 0; i < ARRAY_LEN(to->hint); i++)
		add_address(k, to->hint[i]);
	try_next(k);
	return k;
}

struct dial *dial_close(struct dial *k)
{
	if (!k)
		return NULL;
	k->ops = NULL;
	if (k->s)
		stream_close(k->s); /* on_closed frees it */
	else
		dial_free(k);
	return NULL;
}

void dial_wake(struct dial *k)
{
	if (k->s)
		stream_wake(k->s);
}

bool dial_relay_key(const struct dial *k, struct node_pub *ret)
{
	return k->s && stream_relay_key(k->s, ret->b);
}

const char *dial_agreed(const struct dial *k, char out[static 16])
{
	*out = '\0';
	return k->s ? stream_agreed(k->s, out) : out;
}
