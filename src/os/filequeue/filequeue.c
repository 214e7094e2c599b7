#include "os/filequeue/filequeue.h"
#include "os/file/file.h"
#include "os/worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct change {
	struct list link;
	struct worker_job job;
	struct filequeue *queue;
	bool removes;
	mode_t mode;
	struct buf content;
	int rc;
	char path[];
};

struct filequeue {
	struct loop *loop;
	struct worker *worker; /* NULL: there was nothing to do yet, or no thread could be had */
	struct list waiting;
	struct change *running;
	filequeue_fn on_written;
	void *ctx;
};

int filequeue_new(struct filequeue **ret, struct loop *l, filequeue_fn on_written, void *ctx)
{
	struct filequeue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	*q = (struct filequeue){ .loop = l, .on_written = on_written, .ctx = ctx };
	list_init(&q->waiting);
	*ret = q;
	return 0;
}

/* The directory's path is in dir, which has room for the file's. */
static char *directory_of(const char *path, char *dir)
{
	char *slash;

	strcpy(dir, path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return NULL;
	*slash = 0;
	return dir;
}

/* In the thread. What it allocates here is freed by the loop, or here at once: threads that allocate cost memory. */
static void run(struct worker_job *j)
{
	struct change *c = container_of(j, struct change, job);
	char room[4096], *dir = strlen(c->path) < sizeof(room) ? directory_of(c->path, room) : NULL;

	if (c->removes) {
		c->rc = unlink(c->path) == 0 ? 0 : -errno;
		if (dir)
			(void)!rmdir(dir); /* stays if something else is in there */
		return;
	}
	c->rc = file_write(c->path, buf_view(&c->content), c->mode);
	if (c->rc == -ENOENT && dir && file_make_dir(dir, 0700) == 0)
		c->rc = file_write(c->path, buf_view(&c->content), c->mode);
}

static void start_next(struct filequeue *q);

static void change_free(struct change *c)
{
	buf_fini(&c->content);
	free(c);
}

static void done(struct worker_job *j)
{
	struct change *c = container_of(j, struct change, job);
	struct filequeue *q = c->queue;

	q->running = NULL;
	if (!c->removes)
		q->on_written(q->ctx, c->path, c->rc);
	change_free(c);
	start_next(q);
}

static void start_next(struct filequeue *q)
{
	while (!q->running && !list_empty(&q->waiting)) {
		struct change *c = container_of(list_pop_head(&q->waiting), struct change, link);

		q->running = c;
		if (!q->worker && worker_new(&q->worker, q->loop) < 0) {
			run(&c->job); /* better late than never */
			done(&c->job);
			return;
		}
		worker_add(q->worker, &c->job);
	}
}

static int add(struct filequeue *q, const char *path, struct change **ret)
{
	size_t len = strlen(path);
	struct change *c = malloc(sizeof(*c) + len + 1);

	if (!c)
		return -ENOMEM;
	*c = (struct change){ .queue = q, .job = { .run = run, .done = done } };
	memcpy(c->path, path, len + 1);
	buf_init(&c->content, 0);
	list_for_each_safe(l, &q->waiting) {
		struct change *old = container_of(l, struct change, link);

		if (strcmp(old->path, path) != 0)
			continue;
		list_remove(l);
		change_free(old);
	}
	list_push_tail(&q->waiting, &c->link);
	*ret = c;
	return 0;
}

int filequeue_write(struct filequeue *q, const char *path, struct buf *content, mode_t mode)
{
	struct change *c;
	int rc = add(q, path, &c);

	if (rc < 0)
		return rc;
	c->mode = mode;
	c->content = *content;
	memset(content, 0, sizeof(*content));
	start_next(q);
	return 0;
}

int filequeue_remove(struct filequeue *q, const char *path)
{
	struct change *c;
	int rc = add(q, path, &c);

	if (rc < 0)
		return rc;
	c->removes = true;
	start_next(q);
	return 0;
}

bool filequeue_has(const struct filequeue *q, const char *path)
{
	if (q->running && !q->running->removes && !strcmp(q->running->path, path))
		return true;
	list_for_each(l, &q->waiting) {
		const struct change *c = container_of(l, struct change, link);

		if (!c->removes && !strcmp(c->path, path))
			return true;
	}
	return false;
}

struct filequeue *filequeue_free(struct filequeue *q)
{
	if (!q)
		return NULL;
	if (q->worker)
		worker_finish(q->worker); /* each done gives the next */
	worker_free(q->worker);
	free(q);
	return NULL;
}
