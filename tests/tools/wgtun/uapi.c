#include "uapi.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UAPI_DIR "/var/run/wireguard"

static void drop(struct uapi_client *c)
{
	c->watch = loop_watch_free(c->watch);
	close(c->fd);
	c->fd = -1;
	buf_fini(&c->in);
	buf_fini(&c->out);
}

/* Runs every whole operation that is there. */
static int run_all(struct uapi *u, struct uapi_client *c)
{
	for (;;) {
		const char *s = (const char *)buf_data(&c->in), *end;
		int rc;

		end = memmem(s, buf_len(&c->in), "\n\n", 2);
		if (!end)
			return 0;
		rc = uapi_run(u->w, s, (size_t)(end + 1 - s), &c->out);
		buf_consume(&c->in, (size_t)(end + 2 - s));
		if (rc < 0)
			return rc;
	}
}

static int read_all(struct uapi_client *c)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(c->fd, chunk, sizeof(chunk))) > 0) {
		int rc = buf_append(&c->in, chunk, (size_t)n);

		explicit_bzero(chunk, sizeof(chunk));
		if (rc < 0)
			return rc;
	}
	return n == 0 ? -EPIPE : errno == EAGAIN ? 0 : -errno;
}

static void on_ready(void *ctx, int events)
{
	struct uapi_client *c = ctx;
	int rc = read_all(c), rc_run = run_all(c->uapi, c);
	ssize_t n = 0;

	while (buf_len(&c->out) && (n = send(c->fd, buf_data(&c->out), buf_len(&c->out),
					    MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
		buf_consume(&c->out, (size_t)n);
	if (rc_run == 0 && (rc == 0 || (rc == -EPIPE && buf_len(&c->out))) &&
		(n >= 0 || errno == EAGAIN))
		loop_watch_set(
			c->watch, (rc == 0 ? LOOP_READ : 0) | (buf_len(&c->out) ? LOOP_WRITE : 0));
	else
		drop(c);
}

static void on_accept(void *ctx, int events)
{
	struct uapi *u = ctx;
	int fd = accept4(u->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (int i = 0; i < UAPI_CLIENTS; i++) {
		struct uapi_client *c = &u->client[i];

		if (c->fd >= 0)
			continue;
		if (loop_watch_new(u->w->loop, fd, on_ready, c, &c->watch) < 0)
			break;
		c->fd = fd;
		c->uapi = u;
		buf_init_secret(&c->in, UAPI_MAX);
		buf_init_secret(&c->out, UAPI_MAX);
		loop_watch_set(c->watch, LOOP_READ);
		return;
	}
	close(fd);
}

int uapi_open(struct uapi *u, struct wgtun *w)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int rc = 0;

	*u = (struct uapi){ .fd = -1, .w = w };
	for (int i = 0; i < UAPI_CLIENTS; i++)
		u->client[i].fd = -1;
	snprintf(u->path, sizeof(u->path), UAPI_DIR "/%s.sock", tun_name(w->tun));
	memcpy(a.sun_path, u->path, sizeof(a.sun_path));
	(void)mkdir(UAPI_DIR, 0755);
	(void)unlink(
		u->path); /* left behind by a killed process: the interface's name is ours now */
	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->fd < 0)
		return -errno;
	if (fchmod(u->fd, 0600) < 0 || bind(u->fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		listen(u->fd, 8) < 0) {
		rc = -errno;
		close(u->fd);
		u->fd = -1;
		return rc;
	}
	rc = loop_watch_new(w->loop, u->fd, on_accept, u, &u->watch);
	if (rc == 0)
		loop_watch_set(u->watch, LOOP_READ);
	return rc;
}

void uapi_close(struct uapi *u)
{
	for (int i = 0; i < UAPI_CLIENTS; i++)
		if (u->client[i].fd >= 0)
			drop(&u->client[i]);
	u->watch = loop_watch_free(u->watch);
	if (u->fd < 0)
		return;
	close(u->fd);
	unlink(u->path);
	u->fd = -1;
}
