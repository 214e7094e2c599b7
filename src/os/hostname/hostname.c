#include "os/hostname/hostname.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct hostname_watch {
	int fd;
	struct loop_watch *watch;
	void (*fn)(void *ctx);
	void *ctx;
};

void hostname_get(char out[static HOSTNAME_LEN_MAX + 1])
{
	if (gethostname(out, HOSTNAME_LEN_MAX + 1) != 0)
		out[0] = 0;
	out[HOSTNAME_LEN_MAX] = 0;
}

static void on_change(void *ctx, int events)
{
	struct hostname_watch *w = ctx;

	if (events & LOOP_URGENT)
		w->fn(w->ctx);
}

int hostname_watch_new(
	struct loop *l, void (*fn)(void *ctx), void *ctx, struct hostname_watch **ret)
{
	struct hostname_watch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->ctx = ctx;
	/* The kernel says by POLLPRI that this file reads otherwise (proc_sys_poll). */
	w->fd = open("/proc/sys/kernel/hostname", O_RDONLY | O_CLOEXEC);
	rc = w->fd >= 0 ? loop_watch_new(l, w->fd, on_change, w, &w->watch) : -errno;
	if (rc < 0) {
		hostname_watch_free(w);
		return rc;
	}
	loop_watch_set(w->watch, LOOP_URGENT);
	*ret = w;
	return 0;
}

struct hostname_watch *hostname_watch_free(struct hostname_watch *w)
{
	if (!w)
		return NULL;
	loop_watch_free(w->watch);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
	return NULL;
}
