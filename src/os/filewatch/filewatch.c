#include "os/filewatch/filewatch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB };

/* Of the file behind the links: another one, or the same with another content, differs here. All zero: it cannot be seen. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
};

struct filewatch {
	struct loop *loop;
	const char *path[FILEWATCH_FILES_MAX];
	struct stamp seen[FILEWATCH_FILES_MAX];
	size_t n;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	bool restless; /* seen, but not told yet */
	bool soon;     /* the timer is set for a look because of an event */
	void (*fn)(void *ctx);
	void *ctx;
};

static struct stamp stamp_of(const char *path)
{
	struct stamp s;
	struct stat st;

	memset(&s, 0, sizeof(s)); /* compared as a whole */
	if (stat(path, &st) == 0) {
		s.dev = st.st_dev;
		s.ino = st.st_ino;
		s.size = st.st_size;
		s.modified = st.st_mtim;
		s.changed = st.st_ctim;
	}
	return s;
}

static void watch_parent(const struct filewatch *w, const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
		return;
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash++;
	if (slash)
		*slash = 0;
	/* One watch a directory, however often it is asked for. What may not be read is looked at by the timer. */
	(void)inotify_add_watch(w->fd, slash ? dir : ".", EVENTS | IN_ONLYDIR);
}

/* Where a change of what the path leads to would show: beside it, beside each link on the way, and beside the file itself. */
static void watch_way(const struct filewatch *w, const char *path)
{
	char part[PATH_MAX], real[PATH_MAX];

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return;
	watch_parent(w, path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct stat st;

		*slash = 0;
		if (lstat(part, &st) == 0 && S_ISLNK(st.st_mode))
			watch_parent(w, part);
		*slash = '/';
	}
	if (realpath(path, real))
		watch_parent(w, real);
}

static void rearm(struct filewatch *w)
{
	w->soon = w->restless;
	loop_timer_set(w->timer, mono_add(loop_now(w->loop).mono,
					 w->restless ? FILEWATCH_QUIET : FILEWATCH_INTERVAL));
}

static void look(void *ctx)
{
	struct filewatch *w = ctx;
	bool changed = false;

	for (size_t i = 0; i < w->n; i++) {
		struct stamp s = stamp_of(w->path[i]);

		if (!memcmp(&s, &w->seen[i], sizeof(s)))
			continue;
		w->seen[i] = s;
		changed = true;
		watch_way(w, w->path[i]); /* it may lead elsewhere now */
	}
	if (w->restless && !changed) {
		w->restless = false;
		w->fn(w->ctx);
	} else {
		w->restless = changed;
	}
	rearm(w);
}

static void on_event(void *ctx, int events)
{
	struct filewatch *w = ctx;
	_Alignas(struct inotify_event) char mem[4096];

	(void)events;
	while (read(w->fd, mem, sizeof(mem)) > 0)
		;
	if (w->soon)
		return; /* a busy directory does not put the look off */
	w->soon = true;
	loop_timer_set(w->timer, mono_add(loop_now(w->loop).mono, FILEWATCH_QUIET));
}

/* The way first: what changes in between is seen twice, and not never. */
void filewatch_seen(struct filewatch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		watch_way(w, w->path[i]);
		w->seen[i] = stamp_of(w->path[i]);
	}
}

static int begin(struct filewatch *w)
{
	int rc;

	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	rc = loop_watch_new(w->loop, w->fd, on_event, w, &w->watch);
	if (rc == 0)
		rc = loop_timer_new(w->loop, look, w, &w->timer);
	if (rc < 0)
		return rc;
	loop_watch_set(w->watch, LOOP_READ);
	filewatch_seen(w);
	rearm(w);
	return 0;
}

int filewatch_new(struct filewatch **ret, struct loop *l, const char *const *path, size_t n,
	void (*changed)(void *ctx), void *ctx)
{
	struct filewatch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	*w = (struct filewatch){ .loop = l, .n = n, .fd = -1, .fn = changed, .ctx = ctx };
	rc = n <= FILEWATCH_FILES_MAX ? 0 : -ERR_TOO_MANY;
	for (size_t i = 0; rc == 0 && i < n; i++)
		w->path[i] = path[i];
	if (rc == 0)
		rc = begin(w);
	if (rc < 0) {
		filewatch_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

struct filewatch *filewatch_free(struct filewatch *w)
{
	if (!w)
		return NULL;
	loop_watch_free(w->watch);
	loop_timer_free(w->timer);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
	return NULL;
}
