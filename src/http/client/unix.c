#include "http/client/unix.h"

#include "base/err/err.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_CHUNK = 64 * 1024 };

long long http_unix_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int http_unix_timeout(long long until_ms, int most)
{
	long long left = until_ms ? MAX_OF(until_ms - http_unix_now_ms(), 0) : INT32_MAX;

	if (!until_ms || (most >= 0 && most < left))
		return most;
	return (int)MIN_OF(left, INT32_MAX);
}

/* A daemon that hangs lets its queue of connections run full: connecting waits, too. */
static void bound_connect(int fd, long long until_ms)
{
	int ms = MAX_OF(http_unix_timeout(until_ms, -1), 1);
	struct timeval t = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	if (until_ms)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int connect_once(const char *path, long long until_ms)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, rc = 0;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	bound_connect(fd, until_ms);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		rc = errno == EAGAIN && until_ms ? -ETIMEDOUT : -errno;
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

int http_unix_open(struct http_unix *h, const char *path, size_t answer_max, long long until_ms)
{
	int fd = connect_once(path, until_ms);

	*h = (struct http_unix){ .fd = fd, .until_ms = until_ms };
	buf_init(&h->in, answer_max);
	return MIN_OF(fd, 0);
}

int http_unix_send(struct http_unix *h, struct view v)
{
	while (v.len) {
		ssize_t n = send(h->fd, v.p, v.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno; /* as bound_connect says */
		v = view_of(v.p + n, v.len - (size_t)n);
	}
	return 0;
}

/* Reads what there is. 0; HTTP_UNIX_TIMEOUT; -ERR_CLOSED. */
static int read_some(struct http_unix *h, int timeout_ms)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	uint8_t *to;
	ssize_t n;
	int rc = poll(&p, 1, http_unix_timeout(h->until_ms, timeout_ms));

	if (rc == 0 && h->until_ms && http_unix_now_ms() >= h->until_ms)
		return -ETIMEDOUT;
	if (rc <= 0)
		return rc == 0 || errno == EINTR ? HTTP_UNIX_TIMEOUT : -errno;
	rc = buf_reserve(&h->in, READ_CHUNK, &to);
	if (rc < 0)
		return rc;
	n = recv(h->fd, to, READ_CHUNK, 0);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ERR_CLOSED;
	buf_commit(&h->in, (size_t)n);
	return 0;
}

int http_unix_read_head(struct http_unix *h, int timeout_ms)
{
	long long until = http_unix_now_ms() + timeout_ms;
	size_t used = 0;
	int rc;

	for (;;) {
		rc = http1_parse(buf_data(&h->in), buf_len(&h->in), true, &h->head, &used);
		if (rc == 0 && h->head.status != 100) {
			h->left = h->head.content_length;
			h->ended = h->head.status == 204 ||
				   (!h->head.chunked && h->head.has_content_length && !h->left);
			return (int)used;
		}
		if (rc == 0)
			buf_consume(&h->in, used);
		if (rc == HTTP1_MORE)
			rc = read_some(
				h, timeout_ms ? (int)MAX_OF(until - http_unix_now_ms(), 0) : -1);
		if (rc < 0)
			return rc;
		if (timeout_ms && http_unix_now_ms() >= until)
			return -HTTP_UNIX_TIMEOUT;
	}
}

void http_unix_close(struct http_unix *h)
{
	if (h->fd >= 0)
		close(h->fd);
	buf_fini(&h->in);
}

int http_unix_read_body(struct http_unix *h, int timeout_ms, struct buf *to)
{
	struct view data;
	size_t used;
	int rc = HTTP1_MORE;

	if (h->ended)
		return -ERR_CLOSED;
	if (buf_len(&h->in) && h->head.chunked) {
		rc = http1_chunks_next(&h->chunks, buf_data(&h->in), buf_len(&h->in), &data, &used);
		h->ended = rc == HTTP1_END;
	} else if (buf_len(&h->in)) {
		used = h->head.has_content_length
			       ? (size_t)MIN_OF((uint64_t)buf_len(&h->in), h->left)
			       : buf_len(&h->in);
		data = view_of(buf_data(&h->in), used);
		h->left -= h->head.has_content_length ? used : 0;
		h->ended = h->head.has_content_length && !h->left;
		rc = 0;
	}
	if (rc == HTTP1_MORE)
		return read_some(h, timeout_ms);
	if (rc < 0)
		return rc;
	rc = buf_append(to, data.p, data.len);
	buf_consume(&h->in, used);
	return rc;
}

int http_unix_read_all(struct http_unix *h, struct buf *to)
{
	int rc = 0;

	while (rc >= 0 && !h->ended)
		rc = http_unix_read_body(h, -1, to);
	/* Without a length the end of the connection is the end of the body. */
	return rc == -ERR_CLOSED && !h->head.chunked && !h->head.has_content_length ? 0
										    : MIN_OF(rc, 0);
}
