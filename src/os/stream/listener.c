/* Listeners over TCP and unix sockets: who is let in, and who is turned away because there is no descriptor for him. */
#include "base/ledger/ledger.h"
#include "os/addr/addr.h"
#include "os/stream/stream_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, ACCEPTS_PER_TURN = 64 };

struct listener {
	struct loop *loop;
	int fd;
	struct loop_watch *watch;
	struct tls_ctx *tls;
	const struct forwarded_trust *proxies; /* NULL: nobody sends a proxy's header */
	struct ledger *ledger;                 /* or NULL */
	stream_accept_fn fn;
	void *ctx;
	struct ipport addr;
	char *path;
	int spare; /* a descriptor in reserve, to turn somebody away with when there is no other */
};

/*
 * Out of descriptors: whoever waits is turned away, because a queue that is not emptied would wake us for ever. True if
 * there may be more to do.
 */
static bool turn_away(struct listener *l)
{
	int fd;

	if ((errno != EMFILE && errno != ENFILE) || l->spare < 0)
		return false;
	close(l->spare);
	fd = accept(l->fd, NULL, NULL);
	if (fd >= 0)
		close(fd);
	l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd >= 0;
}

static void accepted(struct listener *l, int fd, struct ipport from)
{
	struct stream *s = stream_accepted(l->loop, fd, l->tls, from, l->ledger, l->path != NULL);

	if (!s)
		return;
	stream_begin(s, l->proxies && forwarded_trusts(l->proxies, from.ip));
	l->fn(l->ctx, s);
	stream_taken(s);
}

/* Those that were pushed out close when this callback is over, and their descriptors are free then: who comes waits for that. */
static void on_acceptable(void *ctx, int events)
{
	struct listener *l = ctx;

	for (int i = 0; i < ACCEPTS_PER_TURN && !ledger_is_settling(l->ledger); i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && turn_away(l))
			continue;
		if (fd < 0)
			return;
		accepted(l, fd, addr_from_sockaddr(&ss));
	}
}

static int listener_new(
	struct loop *l, int fd, stream_accept_fn fn, void *ctx, struct listener **ret)
{
	struct listener *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	*n = (struct listener){ .loop = l,
		.fd = fd,
		.fn = fn,
		.ctx = ctx,
		.spare = open("/dev/null", O_RDONLY | O_CLOEXEC) };
	rc = loop_watch_new(l, fd, on_acceptable, n, &n->watch);
	if (rc < 0) {
		if (n->spare >= 0)
			close(n->spare);
		free(n);
		return rc;
	}
	loop_watch_set(n->watch, LOOP_READ);
	*ret = n;
	return 0;
}

int stream_listen(struct loop *l, struct ipport addr, struct tls_ctx *tls, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, &ss);
	int one = 1, zero = 0, rc,
	    fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr.ip.family != 4) /* [::] takes IPv4, too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	rc = bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, BACKLOG) != 0 ? -errno : 0;
	if (rc == 0)
		rc = listener_new(l, fd, fn, ctx, ret);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	(*ret)->tls = tls;
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		(*ret)->addr = addr_from_sockaddr(&ss);
	return 0;
}

static bool somebody_answers(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* EAGAIN: so many wait for him that no more fit. */
	bool yes = fd >= 0 &&
		   (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return yes;
}

int stream_listen_unix(struct loop *l, const char *path, mode_t mode, stream_accept_fn fn,
	void *ctx, struct listener **ret)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int rc, fd;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	if (somebody_answers(&un))
		return -EADDRINUSE;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fchmod(fd, mode); /* so that the file is never more open than asked */
	rc = bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 || chmod(path, mode) != 0 ||
			     listen(fd, BACKLOG) != 0
		     ? -errno
		     : 0;
	if (rc == 0)
		rc = listener_new(l, fd, fn, ctx, ret);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	(*ret)->path = strdup(path);
	return 0;
}

struct listener *listener_close(struct listener *l)
{
	if (!l)
		return NULL;
	loop_watch_free(l->watch);
	close(l->fd);
	if (l->spare >= 0)
		close(l->spare);
	if (l->path)
		unlink(l->path);
	free(l->path);
	free(l);
	return NULL;
}

void listener_set_proxies(struct listener *l, const struct forwarded_trust *proxies)
{
	l->proxies = proxies;
}

void listener_set_ledger(struct listener *l, struct ledger *ledger)
{
	l->ledger = ledger;
}

struct ipport listener_addr(const struct listener *l)
{
	return l->addr;
}
