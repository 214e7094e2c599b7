#include "tests/http/fake_stream.h"

#include <string.h>

/* The last listener of each kind: TCP, unix socket. */
static struct {
	stream_accept_fn fn;
	void *ctx;
} accepts[2];
static bool over_unix; /* the last listener, then the last connection */

int stream_listen_unix(struct loop *l, const char *path, mode_t mode, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	accepts[1].fn = fn;
	accepts[1].ctx = ctx;
	over_unix = true;
	*ret = NULL;
	return 0;
}

int stream_listen(struct loop *l, struct ipport addr, struct tls_ctx *tls, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	accepts[0].fn = fn;
	accepts[0].ctx = ctx;
	over_unix = false;
	*ret = NULL;
	return 0;
}

struct listener *listener_close(struct listener *l)
{
	return NULL;
}

void listener_set_ledger(struct listener *l, struct ledger *ledger) {}

void listener_set_proxies(struct listener *l, const struct forwarded_trust *proxies) {}

struct ipport listener_addr(const struct listener *l)
{
	return (struct ipport){ 0 };
}

bool stream_peer_uid(const struct stream *s, uid_t *ret)
{
	*ret = s->uid;
	return over_unix;
}

struct ipport stream_peer(const struct stream *s)
{
	return (struct ipport){ .ip = ipaddr_v4(192, 0, 2, 1), .port = 4000 };
}

void stream_set_peer(struct stream *s, struct ipport peer) {}

bool stream_is_unnamed(const struct stream *s)
{
	return false;
}

struct ledger_holder *stream_holder(struct stream *s)
{
	return NULL;
}

void stream_set_owner(struct stream *s, const struct stream_ops *ops, void *owner)
{
	s->ops = ops;
	s->owner = owner;
}

void stream_wake(struct stream *s) {}

void stream_flush(struct stream *s) {}

void stream_share_turn(struct stream *s, struct stream_turn *t) {}

void stream_set_silence(struct stream *s, mono_ns after) {}

size_t stream_unacked(const struct stream *s)
{
	return 0;
}

void stream_finish(struct stream *s)
{
	s->finished = true;
}

void stream_close(struct stream *s)
{
	s->closed = true;
}

void fake_connect(struct stream *s)
{
	s->ops = NULL;
	s->finished = s->closed = false;
	s->n_out = 0;
	s->out[0] = 0;
	accepts[over_unix].fn(accepts[over_unix].ctx, s);
}

void fake_connect_over(struct stream *s, bool unix_socket)
{
	over_unix = unix_socket;
	fake_connect(s);
}

void fake_hang_up(struct stream *s)
{
	if (s->ops)
		s->ops->on_closed(s->owner, 0);
	s->ops = NULL;
	s->closed = true;
}

static bool end_if_over(struct stream *s)
{
	if (s->ops && (s->closed || (s->finished && !s->ops->output(s->owner).len)))
		fake_hang_up(s);
	return s->ops != NULL;
}

bool fake_take(struct stream *s, size_t take)
{
	while (end_if_over(s) && take) {
		struct view v = s->ops->output(s->owner);
		size_t n = MIN_OF(MIN_OF(v.len, take), sizeof(s->out) - 1);

		if (!n)
			break;
		if (s->n_out + n >= sizeof(s->out))
			s->n_out = 0;
		memcpy(s->out + s->n_out, v.p, n);
		s->n_out += n;
		s->out[s->n_out] = 0;
		take -= n;
		s->ops->written(s->owner, n);
	}
	return s->ops != NULL;
}

bool fake_send(struct stream *s, const void *p, size_t len, size_t take)
{
	if (!end_if_over(s))
		return false;
	if (!s->finished && s->ops->on_data(s->owner, p, len) < 0)
		stream_close(s);
	return fake_take(s, take);
}
