#include "relay/relay.h"
#include "base/list/list.h"
#include "base/text/text.h"
#include "proto/stun/stun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STUN_SOCKETS_MAX = 8, STUN_PER_TURN = 256, CHALLENGE_MAX = 64 };

struct stun_socket {
	struct relay *relay;
	int fd;
	struct loop_watch *watch;
};

struct relay {
	struct relay_cfg cfg;
	struct derprelay *derp;
	struct loop_timer *timer;
	struct list clients;
	struct stun_socket stun[STUN_SOCKETS_MAX];
	size_t n_stun;
	struct relay_counters n;
	struct stream_turn reading; /* of clients */
};

struct client {
	struct list link;
	struct relay *relay;
	struct stream *stream;
	struct derpconn *conn;
	struct buf head; /* the 101 answer, before the relay's own bytes */
};

static void rearm(struct relay *r)
{
	loop_timer_set(r->timer, derprelay_deadline(r->derp));
}

static void on_tick(void *ctx)
{
	struct relay *r = ctx;

	derprelay_tick(r->derp, loop_now(r->cfg.loop).mono);
	rearm(r);
}

static void derp_output(void *owner)
{
	stream_wake(((struct client *)owner)->stream);
}

static void derp_close(void *owner)
{
	stream_close(((struct client *)owner)->stream);
}

int relay_new(struct relay **ret, const struct relay_cfg *cfg)
{
	struct derprelay_cfg derp = { .private = cfg->private,
		.max_conns = cfg->max_conns,
		.client_rate = cfg->client_rate,
		.rng = loop_rng(),
		.admit = cfg->admission.admit,
		.admit_ctx = cfg->admission.ctx,
		.on_output = derp_output,
		.on_close = derp_close };
	struct relay *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	r->reading = (struct stream_turn){
		.bytes = RELAY_TURN_BYTES, .min = RELAY_TURN_MIN, .max = RELAY_TURN_BYTES
	};
	list_init(&r->clients);
	rc = derprelay_new(&r->derp, &derp);
	if (rc == 0)
		rc = loop_timer_new(cfg->loop, on_tick, r, &r->timer);
	if (rc < 0) {
		relay_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

static void client_free(struct client *c)
{
	const struct relay_admission *a = &c->relay->cfg.admission;

	if (derprelay_waits(c->conn) && a->forget)
		a->forget(a->ctx, c);
	list_remove(&c->link);
	derprelay_close(c->conn);
	buf_fini(&c->head);
	free(c);
}

static void on_closed(void *owner, int rc)
{
	struct client *c = owner;
	struct relay *r = c->relay;

	client_free(c);
	rearm(r);
}

struct relay *relay_free(struct relay *r)
{
	if (!r)
		return NULL;
	list_for_each_safe(l, &r->clients) {
		struct client *c = container_of(l, struct client, link);

		stream_set_owner(c->stream, NULL, NULL);
		stream_close(c->stream);
		client_free(c);
	}
	for (size_t i = 0; i < r->n_stun; i++) {
		loop_watch_free(r->stun[i].watch);
		close(r->stun[i].fd);
	}
	derprelay_free(r->derp);
	loop_timer_free(r->timer);
	free(r);
	return NULL;
}

const struct relay_admission *relay_admission(const struct relay *r)
{
	return &r->cfg.admission;
}

const struct derprelay *relay_derp(const struct relay *r)
{
	return r->derp;
}

const struct relay_counters *relay_counters(const struct relay *r)
{
	return &r->n;
}

int relay_add_key(const struct relay *r, struct tls_ctx *tls)
{
	return tls_server_add_relay_key(tls, derprelay_public(r->derp)->b, DERP_VERSION);
}

/* DERP over a stream */

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct client *c = owner;
	int rc = derprelay_feed(c->conn, p, len, loop_now(c->relay->cfg.loop).mono);
	rearm(c->relay);
	return rc;
}

/* Who is not admitted yet is not read. */
static bool full(void *owner)
{
	return derprelay_waits(((const struct client *)owner)->conn);
}

void relay_decide(void *client, bool yes)
{
	struct client *c = client;

	if (derprelay_decide(c->conn, yes, loop_now(c->relay->cfg.loop).mono) < 0)
		stream_close(c->stream);
	else
		stream_wake(c->stream);
	rearm(c->relay);
}

void relay_recheck(struct relay *r, const struct node_pub *key)
{
	derprelay_recheck(r->derp, key, loop_now(r->cfg.loop).mono);
	rearm(r);
}

struct ipport relay_client_addr(const void *client)
{
	return stream_peer(((const struct client *)client)->stream);
}

static struct view output(void *owner)
{
	struct client *c = owner;

	return buf_len(&c->head) ? buf_view(&c->head) : derprelay_output(c->conn);
}

static void written(void *owner, size_t n)
{
	struct client *c = owner;

	if (buf_len(&c->head)) {
		buf_consume(&c->head, n);
		if (!buf_len(&c->head))
			buf_fini(&c->head);
	} else {
		derprelay_written(c->conn, n);
	}
}

static const struct stream_ops client_ops = { .on_data = on_data,
	.output = output,
	.written = written,
	.full = full,
	.on_closed = on_closed };

int relay_take(struct relay *r, struct stream *s, const struct http1_head *head, struct view rest)
{
	struct view upgrade = http1_find(head, "Upgrade");
	bool fast = view_eq(http1_find(head, "Derp-Fast-Start"), VIEW_LIT("1"));
	char key[2 * KEY_LEN + 1];
	struct client *c;
	int rc = 0;

	if (!text_ieq((const char *)upgrade.p, upgrade.len, "derp", 4) &&
		!text_ieq((const char *)upgrade.p, upgrade.len, "websocket", 9))
		return -ERR_UNSUPPORTED;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->relay = r;
	c->stream = s;
	buf_init(&c->head, 512);
	list_init(&c->link);
	hex_encode(derprelay_public(r->derp)->b, KEY_LEN, key);
	if (!fast)
		rc = buf_printf(&c->head,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Version: %d\r\n"
			"Derp-Public-Key: %s\r\n\r\n",
			DERP_VERSION, key);
	if (rc == 0)
		rc = derprelay_accept(r->derp, stream_peer(s),
			http1_find(head, "Ideal-Node").len > 0, c, loop_now(r->cfg.loop).mono,
			stream_holder(s), &c->conn);
	if (rc < 0) {
		buf_fini(&c->head);
		free(c);
		return rc;
	}
	r->n.fast_starts += fast;
	list_push_tail(&r->clients, &c->link);
	stream_set_owner(s, &client_ops, c);
	stream_share_turn(s, &r->reading);
	stream_wake(s);
	if (rest.len && on_data(c, rest.p, rest.len) < 0)
		stream_close(s);
	rearm(r);
	return 0;
}

/* Only harmless characters come back. */
void relay_204_extra(const struct http1_head *head, char extra[static RELAY_204_EXTRA_MAX])
{
	struct view v = http1_find(head, "X-Tailscale-Challenge");

	for (size_t i = 0; i < v.len; i++)
		if (v.len > CHALLENGE_MAX ||
			!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:",
				v.p[i]))
			v.len = 0;
	if (v.len)
		snprintf(extra, RELAY_204_EXTRA_MAX, "X-Tailscale-Response: response %.*s\r\n",
			(int)v.len, (const char *)v.p);
	else
		snprintf(extra, RELAY_204_EXTRA_MAX, "Cache-Control: no-store\r\n");
}

/* STUN */

static struct ipport from_sockaddr(const struct sockaddr_in6 *in6)
{
	return (struct ipport){ .ip = ipaddr_from16((const uint8_t *)&in6->sin6_addr),
		.port = ntohs(in6->sin6_port) };
}

/* What was received with a request goes out with the answer; the route decides on the interface. */
static void answer_from_there(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in6_pktinfo info;

	if (!c || c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO) {
		m->msg_controllen = 0;
		return;
	}
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		info.ipi6_ifindex = 0;
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void on_stun(void *ctx, int events)
{
	struct stun_socket *s = ctx;

	for (int i = 0; i < STUN_PER_TURN; i++) {
		uint8_t in[1500], out[STUN_RESPONSE_MAX], txid[STUN_TXID_LEN];
		_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct sockaddr_in6 from;
		struct iovec iov = { .iov_base = in, .iov_len = sizeof(in) };
		struct msghdr m = { .msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);
		size_t len;

		if (n < 0)
			return;
		s->relay->n.stun_requests++;
		if (stun_request_decode(in, (size_t)n, txid) < 0) {
			s->relay->n.stun_bad++;
			continue;
		}
		len = stun_response_encode(txid, from_sockaddr(&from), out);
		/* From the address that was asked: a NAT lets no other answer through. */
		answer_from_there(&m);
		iov = (struct iovec){ .iov_base = out, .iov_len = len };
		if (sendmsg(s->fd, &m, MSG_DONTWAIT) == (ssize_t)len)
			s->relay->n.stun_answers++;
	}
}

int relay_stun_listen(struct relay *r, struct ipport addr, struct ipport *ret_bound)
{
	struct stun_socket *s = &r->stun[r->n_stun];
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(addr.port) };
	socklen_t len = sizeof(in6);
	int zero = 0, one = 1, rc;

	if (r->n_stun == STUN_SOCKETS_MAX)
		return -ERR_TOO_MANY;
	/* One kind of socket for both families: IPv4 as mapped addresses; the unset address is [::]. */
	if (addr.ip.family && !ipaddr_is_unspecified(addr.ip))
		ipaddr_to16(addr.ip, (uint8_t *)&in6.sin6_addr);
	s->relay = r;
	s->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	rc = bind(s->fd, (struct sockaddr *)&in6, sizeof(in6)) == 0 &&
			     getsockname(s->fd, (struct sockaddr *)&in6, &len) == 0
		     ? 0
		     : -errno;
	if (rc == 0)
		rc = loop_watch_new(r->cfg.loop, s->fd, on_stun, s, &s->watch);
	if (rc < 0) {
		close(s->fd);
		return rc;
	}
	loop_watch_set(s->watch, LOOP_READ);
	*ret_bound = from_sockaddr(&in6);
	r->n_stun++;
	return 0;
}
