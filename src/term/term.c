#include "term/term.h"

#include "base/text/plain.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OUT_MAX = 4096, CUT_MAX = 4 };

struct guard {
	int fd;
	FILE *f; /* NULL: nothing is guarded */
	bool own;
	char cut[CUT_MAX]; /* the beginning of a character, or a return that may belong to a line end */
	size_t n_cut;
	char out[OUT_MAX];
	size_t n_out;
};

static struct guard guards[] = { { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

static int put_out(struct guard *g)
{
	size_t at = 0;

	while (at < g->n_out) {
		ssize_t n = write(g->fd, g->out + at, g->n_out - at);

		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? (size_t)n : 0;
	}
	g->n_out = 0;
	return 0;
}

static int put(struct guard *g, const char *p, size_t n)
{
	if (g->n_out + n > OUT_MAX && put_out(g) < 0)
		return -1;
	memcpy(g->out + g->n_out, p, n);
	g->n_out += n;
	return 0;
}

/* What was held back turned out to be no character. */
static int put_cut(struct guard *g)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_cut; i++)
		rc = put(g, "?", 1);
	g->n_cut = 0;
	return rc;
}

/* One byte more behind what is held back. */
static int take(struct guard *g, char byte)
{
	uint32_t c;
	int n;

	if (g->own)
		return put(g, &byte, 1);
	if (g->n_cut == 1 && g->cut[0] == '\r') {
		g->n_cut = 0;
		if (put(g, byte == '\n' ? "\r" : "?", 1) < 0)
			return -1;
	}
	g->cut[g->n_cut++] = byte;
	n = text_rune(g->cut, g->n_cut, &c);
	if (n == RUNE_CUT || (n == 1 && c == '\r'))
		return 0;
	if (n == RUNE_BAD && g->n_cut > 1) { /* the last byte may begin another one */
		g->n_cut--;
		return put_cut(g) < 0 ? -1 : take(g, byte);
	}
	if (n == RUNE_BAD)
		return put_cut(g);
	g->n_cut = 0;
	return text_rune_shows(c) || c == '\n' || c == '\t' ? put(g, g->cut, (size_t)n)
							    : put(g, "?", 1);
}

static ssize_t on_write(void *cookie, const char *p, size_t len)
{
	struct guard *g = cookie;

	for (size_t i = 0; i < len; i++)
		if (take(g, p[i]) < 0)
			return 0;
	return put_out(g) < 0 ? 0 : (ssize_t)len;
}

static int on_close(void *cookie)
{
	struct guard *g = cookie;

	return put_cut(g) < 0 || put_out(g) < 0 ? -1 : 0;
}

static FILE *guarded(struct guard *g, int mode)
{
	cookie_io_functions_t io = { .write = on_write, .close = on_close };

	g->f = fopencookie(g, "w", io);
	if (!g->f || setvbuf(g->f, NULL, mode, BUFSIZ) != 0)
		_exit(1);
	return g->f;
}

void term_guard(void)
{
	if (guards[0].f)
		return;
	stdout = guarded(&guards[0], isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
	stderr = guarded(&guards[1], _IONBF);
}

static struct guard *guard_of(const FILE *f)
{
	for (size_t i = 0; i < ARRAY_LEN(guards); i++)
		if (guards[i].f && guards[i].f == f)
			return &guards[i];
	return NULL;
}

void term_own(FILE *f, bool on)
{
	struct guard *g = guard_of(f);

	if (!g)
		return;
	fflush(f);
	(void)put_cut(g);
	g->own = on;
}

size_t term_width(void)
{
	struct winsize w;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

void term_document(FILE *f, const void *p, size_t len)
{
	const struct guard *g = guard_of(f);
	bool raw = g && !isatty(g->fd);

	if (raw)
		term_own(f, true);
	if (len)
		fwrite(p, 1, len, f);
	if (raw)
		term_own(f, false);
}
