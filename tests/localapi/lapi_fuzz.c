/*
 * Whatever comes over the socket, from whomever: the server answers or hangs up, and goes on. The stream below it is this
 * file; the last byte of the input says who asks and in how many pieces the rest arrives.
 */
#include "tests/localapi/fake.h"
#include "os/loop/loop.h"
#include "os/stream/stream.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct stream {
	const struct stream_ops *ops;
	void *owner;
	uid_t uid;
	bool over;
};

static stream_accept_fn accept_fn;
static void *accept_ctx;

int stream_listen_unix(struct loop *l, const char *path, mode_t mode, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	accept_fn = fn;
	accept_ctx = ctx;
	*ret = NULL;
	return 0;
}

struct listener *listener_close(struct listener *l)
{
	return NULL;
}

bool stream_peer_uid(const struct stream *s, uid_t *ret)
{
	*ret = s->uid;
	return true;
}

void stream_set_owner(struct stream *s, const struct stream_ops *ops, void *owner)
{
	s->ops = ops;
	s->owner = owner;
}

void stream_wake(struct stream *s) {}

void stream_finish(struct stream *s)
{
	s->over = true;
}

void stream_close(struct stream *s)
{
	s->over = true;
}

static void drain(struct stream *s)
{
	for (;;) {
		struct view v = s->ops->output(s->owner);
		if (!v.len)
			return;
		s->ops->written(s->owner, MIN_OF(v.len, (size_t)5000));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct stream s = { .uid = len && (data[len - 1] & 1) ? 65534 : 0 };
	size_t piece = len ? (size_t)(data[len - 1] >> 1) + 1 : 1;
	struct loop *loop;
	struct lapi *api;
	struct fake *f;

	if (!len)
		return 0;
	CHECK(loop_new(&loop) == 0 && fake_new(&f, loop) == 0);
	CHECK(fake_serve(f, loop, "0", &api) == 0);
	CHECK(lapi_listen(api, "fuzz") == 0);
	accept_fn(accept_ctx, &s);
	for (size_t i = 0; i < len - 1 && !s.over; i += piece) {
		if (s.ops->on_data(s.owner, data + i, MIN_OF(piece, len - 1 - i)) < 0)
			break;
		drain(&s);
		fake_turn_end(f);
	}
	drain(&s);
	s.ops->on_closed(s.owner, 0);
	CHECK(lapi_counters(api)->n_connections == 0 && fake_n_waiting(f) == 0);
	lapi_free(api);
	fake_free(f);
	loop_free(loop);
	return 0;
}
