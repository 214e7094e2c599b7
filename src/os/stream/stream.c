/*
 *  CONNECTING --tcp--> (TLS) --handshake--> OPEN --finish--> DRAINING --output empty--> CLOSED
 *  accepted from a proxy: PROXY_HEADER --who it is, take_proxy_header--> HANDSHAKE or OPEN
 *  any state --error, end, stream_close, pushed out of the ledger--> CLOSED: on_closed from the loop, then freed
 */
#include "os/stream/stream.h"
#include "base/ledger/ledger.h"
#include "os/addr/addr.h"
#include "os/stream/stream_internal.h"
#include "os/stream/tls_internal.h"
#include "proto/proxyproto/proxyproto.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum state { CONNECTING, PROXY_HEADER, HANDSHAKE, OPEN, DRAINING, CLOSED };
/* What OpenSSL 3 takes for a connection, measured: always, and while the handshake runs on top of that. */
enum { TLS_BYTES = 16 * 1024, TLS_HANDSHAKE_BYTES = 28 * 1024 };
enum { READ_PER_TURN = 8 * STREAM_READ_MAX };
enum {
	WRITTEN_PER_TURN = 512 * 1024, /* bytes of one stream; then it is the others' turn */
	HANDSHAKES_PER_MS = 8,       /* in which those of a network that have to wait come back, */
	HANDSHAKE_WAIT_MAX_MS = 250, /* at most so late */
	UNSENT_MAX =
		128 * 1024, /* bytes that the kernel keeps for a reader whose window is closed */
};
#define PROXY_PATIENCE SEC(5) /* a proxy sends its header with the first segment */

struct proxy_header {
	uint8_t p[PROXYPROTO_MAX];
	size_t len;
};

struct stream {
	enum state state;
	struct loop *loop;
	int fd;
	struct loop_watch *watch;
	struct loop_task ended;
	struct ledger_holder holder; /* accepted with a ledger; else it charges nothing */
	struct loop_timer *
		timer; /* PROXY_HEADER: timeout with a proxy; HANDSHAKE: when its turn comes; else NULL */
	struct proxy_header *proxy; /* PROXY_HEADER: as far as it came */
	SSL *ssl;
	struct tls_ctx *tls;
	const struct stream_ops *ops;
	void *owner;
	int rc;
	bool want_write;
	bool shaking;              /* HANDSHAKE has begun */
	bool unnamed;              /* the proxy did not say who the client is */
	bool waits;                /* HANDSHAKE: for its turn, by the timer */
	struct stream_turn *share; /* NULL: READ_PER_TURN */
	size_t turn_left;          /* bytes to be read in this turn */
	uint64_t turn;
	struct ipport peer;
};

/* Without anybody's being told. */
static void stream_free(struct stream *s)
{
	s->watch = loop_watch_free(s->watch);
	s->timer = loop_timer_free(s->timer);
	SSL_free(s->ssl);
	close(s->fd);
	free(s->proxy);
	ledger_leave(&s->holder);
	free(s);
}

static void on_ended(void *ctx)
{
	struct stream *s = ctx;

	if (s->ops)
		s->ops->on_closed(s->owner, s->rc);
	stream_free(s);
}

static void end(struct stream *s, int rc)
{
	if (s->state == CLOSED)
		return;
	s->state = CLOSED;
	s->rc = rc;
	s->watch = loop_watch_free(s->watch);
	loop_soon(s->loop, &s->ended, on_ended, s);
}

static void on_evict(struct ledger_holder *h)
{
	end(container_of(h, struct stream, holder), -ERR_NO_ROOM);
}

static void on_no_proxy_header(void *ctx)
{
	end(ctx, -ERR_PROXY);
}

/* One step of what OpenSSL or the kernel said. 1: try again when ready; negative: over. */
static int tls_result(struct stream *s, int n)
{
	int e = SSL_get_error(s->ssl, n), rc;

	switch (e) {
	case SSL_ERROR_WANT_READ:
		return 1;
	case SSL_ERROR_WANT_WRITE:
		s->want_write = true;
		return 1;
	default:
		rc = tls_failure(s->ssl, e);
		ERR_clear_error();
		return rc;
	}
}

static int do_write(struct stream *s, struct view v, size_t *ret)
{
	ssize_t n;

	if (s->ssl) {
		int w;

		errno = 0;
		w = SSL_write(s->ssl, v.p, (int)MIN_OF(v.len, (size_t)1 << 20));

		if (w <= 0)
			return tls_result(s, w);
		*ret = (size_t)w;
		return 0;
	}
	n = send(s->fd, v.p, v.len, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		s->want_write = true;
		return 1;
	}
	if (n < 0)
		return -errno;
	*ret = (size_t)n;
	return 0;
}

/* Nothing is read: its owner has enough. */
static bool is_stopped(const struct stream *s)
{
	return s->state == OPEN && s->ops && s->ops->full && s->ops->full(s->owner);
}

static void update_watch(struct stream *s)
{
	int events = s->state == DRAINING || is_stopped(s) ? 0 : LOOP_READ;

	if (s->state == CLOSED || !s->watch)
		return;
	if (s->waits)
		events = 0;
	else if (s->state == CONNECTING)
		events = LOOP_WRITE;
	else if (s->want_write)
		events |= LOOP_WRITE;
	loop_watch_set(s->watch, events ? events : s->state == DRAINING ? LOOP_READ : 0);
}

static void flush(struct stream *s)
{
	size_t sum = 0;

	s->want_write = false;
	while (s->state == OPEN || s->state == DRAINING) {
		struct view v = s->ops->output(s->owner);
		size_t n = 0;
		int rc;

		if (v.len && sum > WRITTEN_PER_TURN) {
			s->want_write = true;
			break;
		}

		if (!v.len) {
			if (s->state == DRAINING)
				end(s, 0);
			break;
		}
		rc = do_write(s, v, &n);
		if (rc < 0)
			end(s, rc);
		if (rc != 0)
			break;
		s->ops->written(s->owner, n);
		sum += n;
	}
	update_watch(s);
}

/* Of TLS at least a record: what OpenSSL has read and nobody takes would wake nobody. */
static int do_read(struct stream *s, uint8_t *mem, size_t max, size_t *ret)
{
	ssize_t n;

	if (s->ssl) {
		int r;

		errno = 0;
		r = SSL_read(s->ssl, mem, STREAM_READ_MAX);

		if (r <= 0)
			return tls_result(s, r);
		*ret = (size_t)r;
		return 0;
	}
	n = recv(s->fd, mem, max, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	if (n == 0)
		return -ERR_CLOSED;
	*ret = (size_t)n;
	return 0;
}

/* What the next stream that is read in this turn may have. */
static size_t part_of_turn(struct stream_turn *t, uint64_t turn)
{
	if (t->turn != turn || !t->part) {
		t->part = MIN_OF(MAX_OF(t->bytes / MAX_OF(t->active, (size_t)1), t->min), t->max);
		t->active = 0;
		t->turn = turn;
	}
	t->active++;
	return t->part;
}

/* A turn of the loop may call several times, when very many streams are ready. */
static size_t left_of_turn(struct stream *s)
{
	uint64_t turn = loop_turn(s->loop);

	if (s->turn != turn) {
		s->turn = turn;
		s->turn_left = s->share ? part_of_turn(s->share, turn) : READ_PER_TURN;
	}
	return s->turn_left;
}

static void fill(struct stream *s)
{
	uint8_t *mem = loop_scratch(s->loop);

	while (s->state == OPEN && !is_stopped(s) && left_of_turn(s)) {
		size_t n = 0, max = MIN_OF(s->turn_left, (size_t)STREAM_READ_MAX);
		int rc = do_read(s, mem, max, &n);

		if (rc == -ERR_CLOSED)
			end(s, 0);
		else if (rc < 0)
			end(s, rc);
		if (rc != 0)
			return;
		s->turn_left -= MIN_OF(n, s->turn_left);
		rc = s->ops->on_data(s->owner, mem, n);
		if (rc < 0 && s->state == OPEN)
			end(s, rc);
		if (!s->ssl && n < max)
			return;
	}
}

/* What OpenSSL keeps only while the handshake runs, from the first bytes on. */
static int charge_handshake(struct stream *s)
{
	int rc = s->shaking ? 0 : ledger_charge(&s->holder, TLS_HANDSHAKE_BYTES);

	s->shaking |= rc == 0;
	return rc;
}

/* Nothing is there to read, and nothing will be. */
static bool is_gone(const struct stream *s)
{
	uint8_t b;
	ssize_t n = recv(s->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_its_turn(void *ctx)
{
	struct stream *s = ctx;

	s->waits = false;
	update_watch(s);
}

/*
 * Too many of its network are shaking hands. It is not looked at until those before it had their turn: a thousand that are ready and
 * are not served would wake the loop for nothing, and nobody else would be. Who has hung up meanwhile needs no turn.
 */
static void wait_for_turn(struct stream *s)
{
	unsigned ms = 1 + ledger_ahead(&s->holder, STREAM_HANDSHAKES_PER_TURN) / HANDSHAKES_PER_MS;

	if (is_gone(s)) {
		end(s, -ERR_CLOSED);
		return;
	}
	if (!s->timer && loop_timer_new(s->loop, on_its_turn, s, &s->timer) < 0)
		return;
	s->waits = true;
	loop_timer_set(s->timer, mono_add(loop_now(s->loop).mono,
					 MSEC(MIN_OF(ms, (unsigned)HANDSHAKE_WAIT_MAX_MS))));
	update_watch(s);
}

static void handshake(struct stream *s)
{
	int n, rc;

	if (!ledger_may_work(&s->holder, loop_turn(s->loop), STREAM_HANDSHAKES_PER_TURN)) {
		wait_for_turn(s);
		return;
	}
	rc = charge_handshake(s);
	if (rc < 0) {
		end(s, rc);
		return;
	}
	errno = 0;
	n = SSL_do_handshake(s->ssl);
	if (n != 1) {
		s->want_write = false;
		rc = tls_result(s, n);
		if (rc < 0)
			end(s, rc);
		update_watch(s);
		return;
	}
	ledger_refund(&s->holder, TLS_HANDSHAKE_BYTES);
	s->timer = loop_timer_free(s->timer);
	if (!tls_pin_holds(s->tls, s->ssl)) {
		end(s, -ERR_CERT_PIN);
		return;
	}
	s->state = OPEN;
	if (s->ops && s->ops->on_connected)
		s->ops->on_connected(s->owner);
}

/*
 * Nothing but the header is taken from the socket: what comes behind it is TLS, which OpenSSL reads there itself. 0: it is
 * whole; 1: more has to come; negative: over.
 */
static int take_proxy_header(struct stream *s)
{
	struct proxy_header *h = s->proxy;
	ssize_t n = recv(s->fd, h->p + h->len, sizeof(h->p) - h->len, MSG_PEEK);
	struct proxyproto who;
	size_t used = 0;
	int rc;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 1
		       : n < 0                                      ? -errno
								    : -ERR_PROXY;
	rc = proxyproto_decode(h->p, h->len + (size_t)n, &who, &used);
	if (rc < 0)
		return -ERR_PROXY;
	if (rc == 0)
		n = (ssize_t)(used - h->len);
	if (recv(s->fd, h->p + h->len, (size_t)n, 0) != n)
		return -ERR_PROXY;
	h->len += (size_t)n;
	if (rc == PROXYPROTO_MORE)
		return 1;
	if (who.named)
		stream_set_peer(s, who.from);
	s->unnamed = !who.named;
	return 0;
}

static void proxy_header(struct stream *s)
{
	int rc = take_proxy_header(s);

	if (rc < 0)
		end(s, rc);
	if (rc != 0)
		return;
	free(s->proxy);
	s->proxy = NULL;
	s->timer = loop_timer_free(s->timer);
	s->state = s->ssl ? HANDSHAKE : OPEN;
}

static void on_ready(void *ctx, int events)
{
	struct stream *s = ctx;

	if (s->state == CONNECTING) {
		int e = 0;
		socklen_t len = sizeof(e);

		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &len);
		if (e) {
			end(s, -e);
			return;
		}
		s->state = s->ssl ? HANDSHAKE : OPEN;
		if (s->state == OPEN && s->ops->on_connected)
			s->ops->on_connected(s->owner);
	}
	if (s->state == PROXY_HEADER)
		proxy_header(s);
	if (s->state == HANDSHAKE)
		handshake(s);
	if (s->state == OPEN)
		fill(s);
	if (s->state == OPEN || s->state == DRAINING)
		flush(s);
}

/*
 * A machine or a router that dies says nothing. What we send has to be acknowledged in time, and who dialled asks after a
 * while of silence; the other end need not ask as well.
 */
enum { USER_TIMEOUT_MS = 20000 };

static void set_tcp(int fd, bool dialled)
{
	static const int one = 1, user_timeout_ms = USER_TIMEOUT_MS, unsent = UNSENT_MAX,
			 idle_s = 25, interval_s = 5, count = 3;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
	if (!dialled) {
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

void stream_set_silence(struct stream *s, mono_ns after)
{
	int ms = after > 0 ? (int)MIN_OF(after / MSEC(1), (mono_ns)USER_TIMEOUT_MS)
			   : USER_TIMEOUT_MS;

	/* Of a unix socket it is refused, which does no harm. */
	setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

size_t stream_unacked(const struct stream *s)
{
	int n;

	return ioctl(s->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static struct stream *stream_new(
	struct loop *l, int fd, struct tls_ctx *tls, const char *host, bool dialled)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->fd = fd;
	s->tls = tls;
	set_tcp(fd, dialled);
	if (tls)
		s->ssl = tls_open(tls, fd, host);
	if ((tls && !s->ssl) || loop_watch_new(l, fd, on_ready, s, &s->watch) < 0) {
		SSL_free(s->ssl);
		free(s);
		return NULL;
	}
	return s;
}

/* Into the ledger; a user of this machine has an account of his own. */
static int enter_ledger(struct stream *s, struct ledger *ledger, bool local)
{
	int rc = ledger_enter(ledger, &s->holder, s->peer.ip, LEDGER_CONN, on_evict);
	uid_t uid;

	if (rc == 0 && s->ssl)
		rc = ledger_charge(&s->holder, TLS_BYTES);
	if (rc == 0 && ledger && local && stream_peer_uid(s, &uid))
		ledger_set_local(&s->holder, uid);
	return rc;
}

struct stream *stream_accepted(struct loop *l, int fd, struct tls_ctx *tls, struct ipport from,
	struct ledger *ledger, bool local)
{
	struct stream *s = stream_new(l, fd, tls, NULL, false);

	if (!s) {
		close(fd);
		return NULL;
	}
	s->peer = from;
	if (enter_ledger(s, ledger, local) < 0) {
		stream_free(s);
		return NULL;
	}
	return s;
}

void stream_begin(struct stream *s, bool from_proxy)
{
	s->state = s->ssl ? HANDSHAKE : OPEN;
	if (!from_proxy)
		return;
	s->proxy = calloc(1, sizeof(*s->proxy));
	s->state = PROXY_HEADER;
	if (!s->proxy || loop_timer_new(s->loop, on_no_proxy_header, s, &s->timer) < 0)
		end(s, -ENOMEM);
	else
		loop_timer_set(s->timer, mono_add(loop_now(s->loop).mono, PROXY_PATIENCE));
}

void stream_taken(struct stream *s)
{
	if (!s->ops)
		end(s, 0);
	update_watch(s);
}

int stream_connect(struct loop *l, struct ipport addr, struct tls_ctx *tls, const char *host,
	unsigned mark, const struct stream_ops *ops, void *owner, struct stream **ret)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stream *s;

	if (fd < 0)
		return -errno;
	if (mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) {
		close(fd);
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&ss, len) != 0 && errno != EINPROGRESS) {
		close(fd);
		return -errno;
	}
	s = stream_new(l, fd, tls, host, true);
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->peer = addr;
	s->ops = ops;
	s->owner = owner;
	update_watch(s);
	*ret = s;
	return 0;
}

int stream_offer(struct stream *s, const char *protocols)
{
	size_t n = strlen(protocols);

	return s->ssl && SSL_set_alpn_protos(s->ssl, (const uint8_t *)protocols, (unsigned)n) == 0
		       ? 0
		       : -ENOMEM;
}

const char *stream_agreed(const struct stream *s, char out[static 16])
{
	const uint8_t *p = NULL;
	unsigned n = 0;

	if (s->ssl)
		SSL_get0_alpn_selected(s->ssl, &p, &n);
	snprintf(out, 16, "%.*s", (int)n, n ? (const char *)p : "");
	return out;
}

void stream_set_owner(struct stream *s, const struct stream_ops *ops, void *owner)
{
	s->ops = ops;
	s->owner = owner;
}

struct ipport stream_peer(const struct stream *s)
{
	return s->peer;
}

void stream_set_peer(struct stream *s, struct ipport peer)
{
	s->peer = peer;
	ledger_set_source(&s->holder, peer.ip);
}

struct ledger_holder *stream_holder(struct stream *s)
{
	return s->holder.ledger ? &s->holder : NULL;
}

bool stream_is_unnamed(const struct stream *s)
{
	return s->unnamed;
}

bool stream_peer_uid(const struct stream *s, uid_t *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	*ret = cred.uid;
	return true;
}

bool stream_relay_key(const struct stream *s, uint8_t ret[static 32])
{
	return s->ssl && tls_relay_key(s->ssl, ret);
}

void stream_share_turn(struct stream *s, struct stream_turn *t)
{
	s->share = t;
}

void stream_flush(struct stream *s)
{
	if (s->state == OPEN)
		flush(s);
}

void stream_wake(struct stream *s)
{
	if (s->state != OPEN && s->state != DRAINING)
		return;
	/* From the loop: the caller may be in the middle of an engine. */
	s->want_write = true;
	update_watch(s);
}

void stream_finish(struct stream *s)
{
	if (s->state == CLOSED)
		return;
	if (s->state != OPEN) {
		end(s, 0);
		return;
	}
	s->state = DRAINING;
	s->want_write = true;
	update_watch(s);
}

void stream_close(struct stream *s)
{
	end(s, 0);
}
