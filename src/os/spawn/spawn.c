#include "os/spawn/spawn.h"
#include "base/buf/buf.h"
#include "os/loop/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

enum { CHUNK_LEN = 16384 };

struct pipe {
	uv_pipe_t uv;
	struct spawn *spawn;
	struct buf got;
};

struct spawn {
	struct spawn_cfg cfg;
	uv_process_t process;
	struct pipe out, err;
	struct loop_timer *timer;
	unsigned n_handles; /* open in libuv; freed with the last one */
	bool exited, told;
	int rc, status;
	char chunk[CHUNK_LEN];
};

static void on_handle_closed(uv_handle_t *h)
{
	struct spawn *s = h->data;

	if (--s->n_handles)
		return;
	buf_fini(&s->out.got);
	buf_fini(&s->err.got);
	free(s);
}

static void close_handle(uv_handle_t *h)
{
	if (!uv_is_closing(h))
		uv_close(h, on_handle_closed);
}

/* It leads a process group of its own: what it started ends, too. */
static void kill_all(struct spawn *s)
{
	if (uv_process_get_pid(&s->process) > 0)
		kill(-uv_process_get_pid(&s->process), SIGKILL);
}

static void close_all(struct spawn *s)
{
	if (s->timer)
		s->timer = loop_timer_free(s->timer);
	close_handle((uv_handle_t *)&s->process);
	close_handle((uv_handle_t *)&s->out.uv);
	close_handle((uv_handle_t *)&s->err.uv);
}

/* The end is when it has exited and all that it wrote was read. */
static void tell_if_ended(struct spawn *s)
{
	if (!s->exited || s->told || !uv_is_closing((uv_handle_t *)&s->out.uv) ||
		!uv_is_closing((uv_handle_t *)&s->err.uv))
		return;
	s->told = true;
	close_all(s);
	s->cfg.on_end(s->cfg.ctx, s->rc, s->status, buf_view(&s->out.got), buf_view(&s->err.got));
}

static void give_up(struct spawn *s, int rc)
{
	if (s->rc == 0)
		s->rc = rc;
	kill_all(s);
}

static void on_timeout(void *ctx)
{
	give_up(ctx, -ETIMEDOUT);
}

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *ret)
{
	struct spawn *s = h->data;

	(void)n;
	*ret = uv_buf_init(s->chunk, sizeof(s->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct pipe *p = container_of((uv_pipe_t *)stream, struct pipe, uv);
	struct spawn *s = p->spawn;

	if (n < 0) {
		close_handle((uv_handle_t *)stream);
		tell_if_ended(s);
		return;
	}
	if (p == &s->err)
		n = MIN_OF(n, (ssize_t)(SPAWN_ERR_MAX - buf_len(&p->got)));
	if (n > 0 && buf_append(&p->got, b->base, (size_t)n) < 0)
		give_up(s, -ERR_TOO_BIG);
}

static void on_exit_of(uv_process_t *process, int64_t status, int sig)
{
	struct spawn *s = process->data;

	s->exited = true;
	s->status = sig ? 128 + sig : (int)status;
	kill_all(s); /* a child that was left behind would keep the pipes open */
	tell_if_ended(s);
}

/* prlimit sets them and becomes the program: set from here they would come after its first steps. */
struct wrapped {
	char file[40], mem[40];
	const char *argv[SPAWN_ARGS_MAX];
};

static void wrap(const struct spawn_cfg *cfg, struct wrapped *w)
{
	size_t n = 0;

	w->argv[n++] = "prlimit";
	snprintf(w->file, sizeof(w->file), "--fsize=%zu", cfg->file_max);
	snprintf(w->mem, sizeof(w->mem), "--as=%zu", cfg->mem_max);
	if (cfg->file_max)
		w->argv[n++] = w->file;
	if (cfg->mem_max)
		w->argv[n++] = w->mem;
	w->argv[n++] = "--";
	for (size_t i = 0; cfg->argv[i]; i++) {
		CHECK(n < SPAWN_ARGS_MAX - 1);
		w->argv[n++] = cfg->argv[i];
	}
	w->argv[n] = NULL;
}

/* Its input as a file in memory: whether it reads all of it, or none, is of no interest to us. -1: none. */
static int open_input(struct view in, int *ret)
{
	int fd;

	*ret = -1;
	if (!in.len)
		return 0;
	fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, in.p, in.len, 0) != (ssize_t)in.len) {
		close(fd);
		return -EIO;
	}
	*ret = fd;
	return 0;
}

static int start(struct spawn *s, int in)
{
	uv_stdio_container_t io[3] = { { .flags = in < 0 ? UV_IGNORE : UV_INHERIT_FD,
					       .data.fd = in },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
			.data.stream = (uv_stream_t *)&s->out.uv },
		{ .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
			.data.stream = (uv_stream_t *)&s->err.uv } };
	uv_process_options_t o = { .exit_cb = on_exit_of,
		.file = s->cfg.argv[0],
		.args = (char **)(uintptr_t)s->cfg.argv,
		.env = (char **)(uintptr_t)s->cfg.env,
		.cwd = s->cfg.dir,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = 3,
		.stdio = io };
	struct wrapped w;
	int rc;

	if (s->cfg.file_max || s->cfg.mem_max) {
		wrap(&s->cfg, &w);
		o.file = w.argv[0];
		o.args = (char **)(uintptr_t)w.argv;
	}
	rc = uv_spawn(loop_uv(s->cfg.loop), &s->process, &o);
	s->n_handles++; /* closed in any case, says libuv */
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&s->out.uv, on_alloc, on_read);
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&s->err.uv, on_alloc, on_read);
	if (rc == 0)
		rc = loop_timer_new(s->cfg.loop, on_timeout, s, &s->timer);
	if (rc == 0)
		loop_timer_set(s->timer, mono_add(loop_now(s->cfg.loop).mono, s->cfg.timeout));
	return rc;
}

static int pipe_init(struct spawn *s, struct pipe *p, size_t max)
{
	int rc = uv_pipe_init(loop_uv(s->cfg.loop), &p->uv, 0);

	p->uv.data = s;
	p->spawn = s;
	buf_init(&p->got, max);
	s->n_handles += rc == 0;
	return rc;
}

int spawn_new(struct spawn **ret, const struct spawn_cfg *cfg)
{
	struct spawn *s = calloc(1, sizeof(*s));
	int rc, in;

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	s->process.data = s;
	rc = pipe_init(s, &s->out, cfg->out_max);
	if (rc < 0) {
		free(s);
		return rc;
	}
	rc = pipe_init(s, &s->err, SPAWN_ERR_MAX);
	if (rc < 0) {
		close_handle((uv_handle_t *)&s->out.uv);
		return rc;
	}
	rc = open_input(cfg->in, &in);
	if (rc == 0) {
		rc = start(s, in);
		if (in >= 0)
			close(in);
	}
	if (rc < 0) {
		spawn_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

struct spawn *spawn_free(struct spawn *s)
{
	if (!s || s->told)
		return NULL;
	s->told = true;
	kill_all(s);
	close_all(s);
	return NULL;
}
