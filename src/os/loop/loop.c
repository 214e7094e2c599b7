#include "os/loop/loop.h"
#include "base/rng/rng.h"

#include <errno.h>
#include <signal.h>
#include <sys/random.h>
#include <time.h>
#include <uv.h>

enum { HOOKS_MAX = 8 };

struct loop {
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_signal_t signals[2], hup;
	struct {
		void (*fn)(void *ctx);
		void *ctx;
	} on_hup;
	struct now now;
	bool sampled;
	uint64_t turn;
	struct {
		void (*fn)(void *ctx);
		void *ctx;
	} hooks[HOOKS_MAX];
	size_t n_hooks;
	struct loop_task *tasks, **last_task;
	uint8_t scratch[LOOP_SCRATCH_LEN];
};

struct loop_timer {
	uv_timer_t uv;
	struct loop *loop;
	void (*fn)(void *ctx);
	void *ctx;
	mono_ns at;
};

struct loop_watch {
	uv_poll_t uv;
	struct loop *loop;
	void (*fn)(void *ctx, int events);
	void *ctx;
	int events;
};

static void sample(struct loop *l)
{
	struct timespec mono, wall;

	clock_gettime(CLOCK_BOOTTIME, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	l->now.mono = SEC(mono.tv_sec) + mono.tv_nsec;
	l->now.wall = (unix_ms)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
	l->sampled = true;
}

struct now loop_now(struct loop *l)
{
	if (!l->sampled)
		sample(l);
	return l->now;
}

void loop_soon(struct loop *l, struct loop_task *t, void (*fn)(void *ctx), void *ctx)
{
	if (t->waits)
		return;
	*t = (struct loop_task){ .fn = fn, .ctx = ctx, .waits = true };
	*l->last_task = t;
	l->last_task = &t->next;
}

/* With those that they add. A task may free itself. */
static void run_tasks(struct loop *l)
{
	struct loop_task *t;

	while ((t = l->tasks)) {
		l->tasks = t->next;
		if (!l->tasks)
			l->last_task = &l->tasks;
		t->waits = false;
		t->fn(t->ctx);
	}
}

uint64_t loop_turn(const struct loop *l)
{
	return l->turn;
}

/* Before the loop sleeps: the turn is over. What wakes it runs before on_check, and must not see the time of before. */
static void on_prepare(uv_prepare_t *p)
{
	struct loop *l = p->data;

	do { /* what ends now belongs to this turn, too */
		run_tasks(l);
		for (size_t i = 0; i < l->n_hooks; i++)
			l->hooks[i].fn(l->hooks[i].ctx);
	} while (l->tasks);
	l->sampled = false;
	l->turn++;
}

/* After it woke: a new turn, new time. */
static void on_check(uv_check_t *c)
{
	((struct loop *)c->data)->sampled = false;
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	if (uv_loop_init(&l->uv) != 0) {
		free(l);
		return -ENOMEM;
	}
	l->turn = 1;
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	l->last_task = &l->tasks;
	l->prepare.data = l->check.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	uv_unref((uv_handle_t *)&l->prepare);
	uv_unref((uv_handle_t *)&l->check);
	*ret = l;
	return 0;
}

static void close_handle(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	l->n_hooks = 0; /* their owners are gone */
	run_tasks(l);
	uv_run(&l->uv, UV_RUN_NOWAIT); /* what was closed last frees itself in the turn after */
	uv_walk(&l->uv, close_handle, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	uv_loop_close(&l->uv);
	free(l);
	return NULL;
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
	on_prepare(&l->prepare); /* what the last turn left */
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

void *loop_uv(struct loop *l)
{
	return &l->uv;
}

uint8_t *loop_scratch(struct loop *l)
{
	return l->scratch;
}

static void on_timer(uv_timer_t *u)
{
	struct loop_timer *t = u->data;
	struct loop *l;

	t->loop->sampled = false;             /* timers fire before the check phase */
	if (loop_now(t->loop).mono < t->at) { /* libuv counts milliseconds, down */
		loop_timer_set(t, t->at);
		return;
	}
	t->at = MONO_NEVER;
	l = t->loop;
	t->fn(t->ctx);
	run_tasks(l);
}

int loop_timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx, struct loop_timer **ret)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	t->at = MONO_NEVER;
	uv_timer_init(&l->uv, &t->uv);
	t->uv.data = t;
	*ret = t;
	return 0;
}

void loop_timer_set(struct loop_timer *t, mono_ns at)
{
	mono_ns left;

	if (at == MONO_NEVER) {
		t->at = at;
		uv_timer_stop(&t->uv);
		return;
	}
	if (at == t->at && uv_is_active((uv_handle_t *)&t->uv))
		return;
	t->at = at;
	uv_update_time(&t->loop->uv);
	left = at - loop_now(t->loop).mono;
	uv_timer_start(
		&t->uv, on_timer, left > 0 ? (uint64_t)((left + MSEC(1) - 1) / MSEC(1)) : 0, 0);
}

static void free_handle(uv_handle_t *h)
{
	free(h->data);
}

struct loop_timer *loop_timer_free(struct loop_timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, free_handle);
	return NULL;
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct loop_watch *w = p->data;
	struct loop *l = w->loop;

	/* An error shows on the next read or write. */
	w->fn(w->ctx, status < 0 ? w->events
				 : (events & UV_READABLE ? LOOP_READ : 0) |
					   (events & UV_WRITABLE ? LOOP_WRITE : 0) |
					   (events & UV_PRIORITIZED ? LOOP_URGENT : 0));
	run_tasks(l);
}

int loop_watch_new(struct loop *l, int fd, void (*fn)(void *ctx, int events), void *ctx,
	struct loop_watch **ret)
{
	struct loop_watch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->loop = l;
	w->fn = fn;
	w->ctx = ctx;
	rc = uv_poll_init(&l->uv, &w->uv, fd);
	if (rc != 0) {
		free(w);
		return rc;
	}
	w->uv.data = w;
	*ret = w;
	return 0;
}

void loop_watch_set(struct loop_watch *w, int events)
{
	if (w->events == events)
		return;
	w->events = events;
	if (events)
		uv_poll_start(&w->uv,
			(events & LOOP_READ ? UV_READABLE : 0) |
				(events & LOOP_WRITE ? UV_WRITABLE : 0) |
				(events & LOOP_URGENT ? UV_PRIORITIZED : 0),
			on_poll);
	else
		uv_poll_stop(&w->uv);
}

struct loop_watch *loop_watch_free(struct loop_watch *w)
{
	if (w) {
		uv_poll_stop(&w->uv);
		uv_close((uv_handle_t *)&w->uv, free_handle);
	}
	return NULL;
}

int loop_on_turn_end(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	if (l->n_hooks == HOOKS_MAX)
		return -ERR_TOO_MANY;
	l->hooks[l->n_hooks].fn = fn;
	l->hooks[l->n_hooks++].ctx = ctx;
	return 0;
}

static void on_signal(uv_signal_t *s, int number)
{
	uv_stop(s->loop);
}

int loop_stop_on_signals(struct loop *l)
{
	static const int numbers[2] = { SIGTERM, SIGINT };

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&l->uv, &l->signals[i]);
		if (uv_signal_start(&l->signals[i], on_signal, numbers[i]) != 0)
			return -EINVAL;
		uv_unref((uv_handle_t *)&l->signals[i]);
	}
	return 0;
}

static void on_hup(uv_signal_t *s, int number)
{
	struct loop *l = s->data;

	l->on_hup.fn(l->on_hup.ctx);
}

int loop_on_hup(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	l->on_hup.fn = fn;
	l->on_hup.ctx = ctx;
	uv_signal_init(&l->uv, &l->hup);
	l->hup.data = l;
	if (uv_signal_start(&l->hup, on_hup, SIGHUP) != 0)
		return -EINVAL;
	uv_unref((uv_handle_t *)&l->hup);
	return 0;
}

static void kernel_fill(struct rng *r, void *out, size_t n)
{
	uint8_t *p = out;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		CHECK(got > 0 || errno == EINTR); /* no randomness, no keys: better no program */
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

struct rng *loop_rng(void)
{
	static struct rng kernel = { kernel_fill };

	return &kernel;
}
