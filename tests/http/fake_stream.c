#include "tests/http/fake_stream.h"

#include <string.h>

static stream_accept_fn accept_fn;
static void *accept_ctx;
static bool over_unix;

int stream_listen_unix(struct loop *l, const char *path, mode_t mode, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	accept_fn = fn;
	accept_ctx = ctx;
	over_unix = true;
	*ret = NULL;
	return 0;
}

int stream_listen(struct loop *l, struct ipport addr, struct tls_ctx *tls, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	int rc = stream_listen_unix(l, "", 0, fn, ctx, ret);

	over_unix = false;
	return rc;
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
	accept_fn(accept_ctx, s);
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
		size_t n = v.len < take ? v.len : take;

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
