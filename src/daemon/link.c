/*
 * A stream to somewhere: from a name or address to bytes.
 *
 *	address, hints --> CONNECTING --next address after a failure or LINK_PATIENCE--> ... --> UP --> closed
 *	a name --> LOOKUP --addresses--> CONNECTING        none left --> the owner is told from the loop, never from inside
 *
 * A link that its owner closed is an orphan: it ends in silence.
 */
#include "daemon/internal.h"
#include "os/log/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

enum { LINK_ADDRS_MAX = 8, HOST_MAX = 256 };

#define LINK_PATIENCE SEC(2) /* for one address, while there is another */
#define LINK_LOOKUP_PATIENCE \
	SEC(8) /* who dials is patient for 10 s, and is to hear that it was the name */

struct link {
	struct list link;
	struct daemon *n;
	const struct link_ops *ops; /* NULL: orphan */
	void *owner;
	struct stream *s;         /* NULL: none now */
	struct loop_timer *timer; /* patience, and the word of a failure */
	struct lookup *lookup;
	bool up, looked_up;
	int rc; /* of the last attempt */
	char host[HOST_MAX], name[HOST_MAX];
	uint16_t port;
	struct tls_ctx *tls; /* NULL: plain */
	struct ipaddr addr[LINK_ADDRS_MAX];
	size_t n_addrs, at;
};

/* One run of the system's resolver, which may take its time in a thread of libuv's. */
struct lookup {
	uv_getaddrinfo_t req;
	struct daemon *n;
	struct link *of; /* NULL: nobody waits any more, or a STUN server's name */
	char host[HOST_MAX];
	bool stun;
};

static void try_next(struct link *k);

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

static void note_failure(struct link *k, int rc)
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

static size_t take_addresses(const struct addrinfo *ai, struct ipaddr out[static LINK_ADDRS_MAX])
{
	size_t n = 0;

	for (; ai && n < LINK_ADDRS_MAX; ai = ai->ai_next) {
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
	struct lookup *l = container_of(req, struct lookup, req);
	struct ipaddr addr[LINK_ADDRS_MAX];
	size_t n = status == 0 ? take_addresses(ai, addr) : 0;
	struct daemon *nd = l->n;
	struct link *k = l->of;

	uv_freeaddrinfo(ai);
	nd->n_lookups--;
	if (l->stun && nd->node) {
		node_resolved(nd->node, l->host, addr, n, loop_now(nd->loop));
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

static struct lookup *lookup_begin(struct daemon *n, const char *host, struct link *of)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG };
	struct lookup *l;

	n->lookups++;
	if (n->n_lookups == DAEMON_LOOKUPS_MAX || strlen(host) >= HOST_MAX ||
		!(l = calloc(1, sizeof(*l)))) {
		n->lookups_refused++;
		return NULL;
	}
	*l = (struct lookup){ .n = n, .of = of, .stun = !of };
	snprintf(l->host, sizeof(l->host), "%s", host);
	if (uv_getaddrinfo(loop_uv(n->loop), &l->req, on_looked_up, host, NULL, &hints) != 0) {
		n->lookups_refused++;
		free(l);
		return NULL;
	}
	n->n_lookups++;
	return l;
}

void link_resolve(void *owner, const char *host)
{
	/* Without a free place there is no answer: netcheck goes on with the servers that it has. */
	(void)lookup_begin(owner, host, NULL);
}

/* ---- Life ---- */

static void link_free(struct link *k)
{
	list_remove(&k->link);
	if (k->lookup)
		k->lookup->of = NULL;
	k->timer = loop_timer_free(k->timer);
	free(k);
}

/* Nothing is left to try. Called from the loop. */
static void fail(struct link *k)
{
	const struct link_ops *ops = k->ops;
	void *owner = k->owner;
	int rc = k->rc ? k->rc : -ERR_CLOSED;

	link_free(k);
	if (ops)
		ops->closed(owner, rc);
}

static void on_timer(void *ctx)
{
	struct link *k = ctx;

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
	struct link *k = owner;

	if (!k->ops)
		return;
	k->up = true;
	k->rc = 0;
	loop_timer_set(k->timer, MONO_NEVER);
	k->ops->up(k->owner);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct link *k = owner;

	/* The bytes are in the loop's scratch memory: ours to change until the next callback. */
	return k->ops ? k->ops->data(k->owner, (uint8_t *)(uintptr_t)p, len) : -ERR_CLOSED;
}

static struct view output(void *owner)
{
	struct link *k = owner;

	return k->ops ? k->ops->output(k->owner) : view_of("", 0);
}

static void written(void *owner, size_t n)
{
	struct link *k = owner;

	if (k->ops)
		k->ops->written(k->owner, n);
}

static void on_closed(void *owner, int rc)
{
	struct link *k = owner;

	k->s = NULL;
	if (!k->ops) {
		link_free(k);
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

static int connect_to(struct link *k, struct ipaddr ip)
{
	struct ipport to = { .ip = ip, .port = k->port };

	return stream_connect(k->n->loop, to, k->tls, k->name, ROUTE_MARK, &stream_ops, k, &k->s);
}

/* The next address; when they are used up and there is a name, what the resolver says of it. */
static void try_next(struct link *k)
{
	mono_ns now = loop_now(k->n->loop).mono;

	while (k->at < k->n_addrs) {
		int rc = connect_to(k, k->addr[k->at++]);

		if (rc < 0) {
			note_failure(k, rc);
		} else {
			loop_timer_set(k->timer, k->at < k->n_addrs || !k->looked_up
							 ? mono_add(now, LINK_PATIENCE)
							 : MONO_NEVER);
			return;
		}
	}
	if (!k->looked_up) {
		k->looked_up = true;
		k->lookup = lookup_begin(k->n, k->host, k);
		if (k->lookup) {
			loop_timer_set(k->timer, mono_add(now, LINK_LOOKUP_PATIENCE));
			return;
		}
		note_failure(k, -EAGAIN);
	}
	loop_timer_set(k->timer, now); /* from the loop: we may be inside the engine */
}

/* ---- TLS ---- */

static bool tls_in_use(const struct daemon *n, const struct tls_ctx *tls)
{
	list_for_each(l, &n->links)
		if (container_of(l, struct link, link)->tls == tls)
			return true;
	return false;
}

/* Certificates are renewed, and each has its pin: the oldest one that nobody uses makes room. */
static bool pin_make_room(struct daemon *n)
{
	for (size_t i = 0; n->n_pins == DAEMON_PINS_MAX && i < n->n_pins; i++) {
		if (tls_in_use(n, n->pins[i].tls))
			continue;
		tls_free(n->pins[i].tls);
		memmove(&n->pins[i], &n->pins[i + 1], (n->n_pins - 1 - i) * sizeof(n->pins[0]));
		n->n_pins--;
	}
	return n->n_pins < DAEMON_PINS_MAX;
}

static struct tls_ctx *tls_pinned(struct daemon *n, const uint8_t pin[static 32])
{
	for (size_t i = 0; i < n->n_pins; i++)
		if (!memcmp(n->pins[i].pin, pin, 32))
			return n->pins[i].tls;
	if (!pin_make_room(n) || tls_client_new(&n->pins[n->n_pins].tls, pin) < 0)
		return NULL;
	memcpy(n->pins[n->n_pins].pin, pin, 32);
	return n->pins[n->n_pins++].tls;
}

/* Made when first needed: the system's root certificates alone take more memory than the rest of us. */
static bool tls_for(struct daemon *n, const struct node_dial *d, struct tls_ctx **ret)
{
	*ret = NULL;
	switch (d->tls) {
	case NODE_TLS_NONE:
		return true;
	case NODE_TLS_VERIFIED:
		if (!n->tls_verified && tls_client_new(&n->tls_verified, NULL) < 0)
			return false;
		*ret = n->tls_verified;
		return true;
	case NODE_TLS_ANY_CERT:
		if (!n->tls_any && tls_client_any(&n->tls_any) < 0)
			return false;
		*ret = n->tls_any;
		return true;
	case NODE_TLS_PINNED:
		*ret = tls_pinned(n, d->pin);
		return *ret != NULL;
	}
	return false;
}

void link_reload_roots(struct daemon *n)
{
	int rc = n->tls_verified ? tls_client_reload(n->tls_verified) : 0;

	if (rc < 0)
		log_error("node", "the root certificates cannot be read anew; those of before stay",
			"err=%s", err_text(rc));
}

/* ---- Opening and closing ---- */

static struct link *link_new(
	struct daemon *n, const struct node_dial *d, const struct link_ops *ops, void *owner)
{
	struct link *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	*k = (struct link){ .n = n, .ops = ops, .owner = owner, .port = d->port };
	snprintf(k->host, sizeof(k->host), "%s", d->host);
	snprintf(k->name, sizeof(k->name), "%s", d->name ? d->name : d->host);
	if (loop_timer_new(n->loop, on_timer, k, &k->timer) < 0) {
		free(k);
		return NULL;
	}
	list_push_tail(&n->links, &k->link);
	return k;
}

struct link *link_open(
	struct daemon *n, const struct node_dial *d, const struct link_ops *ops, void *owner)
{
	struct link *k = link_new(n, d, ops, owner);
	struct ipaddr ip;

	if (!k)
		return NULL;
	if (!tls_for(n, d, &k->tls)) {
		k->rc = -ERR_TLS;
		loop_timer_set(k->timer, loop_now(n->loop).mono);
		return k;
	}
	if (ipaddr_parse(d->host, strlen(d->host), &ip) == 0) {
		k->looked_up = true; /* nothing to ask anybody */
		k->addr[k->n_addrs++] = ip;
	}
	for (size_t i = 0; i < ARRAY_LEN(d->hint); i++)
		if (ipaddr_is_set(d->hint[i]) && !(k->n_addrs && ipaddr_eq(k->addr[0], d->hint[i])))
			k->addr[k->n_addrs++] = d->hint[i];
	try_next(k);
	return k;
}

struct link *link_close(struct link *k)
{
	if (!k)
		return NULL;
	k->ops = NULL;
	if (k->s)
		stream_close(k->s); /* on_closed frees it */
	else
		link_free(k);
	return NULL;
}

void link_wake(struct link *k)
{
	if (k->s)
		stream_wake(k->s);
}

bool link_relay_key(const struct link *k, struct node_pub *ret)
{
	return k->s && stream_relay_key(k->s, ret->b);
}

void link_fini(struct daemon *n)
{
	tls_free(n->tls_verified);
	tls_free(n->tls_any);
	for (size_t i = 0; i < n->n_pins; i++)
		tls_free(n->pins[i].tls);
}
