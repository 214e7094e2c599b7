#include "os/log/log.h"
#include "base/bucket/bucket.h"
#include "base/text/plain.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Whoever finds `looked` unset looks; two threads that do so see the same. */
static struct {
	atomic_int verbose;
	atomic_bool looked, journal, dated;
	atomic_ullong lost; /* lines, since the last that was taken */
} self;

void log_set_verbose(int verbose)
{
	self.verbose = verbose;
}

/* JOURNAL_STREAM is device:inode of the journal's socket; it counts only if that is still what stderr is. */
static bool stderr_is_journal(void)
{
	const char *e = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return e && sscanf(e, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

static void look(void)
{
	if (self.looked)
		return;
	self.journal = stderr_is_journal();
	self.dated = !self.journal && !isatty(STDERR_FILENO);
	self.looked = true;
}

/* A cut line is better than none. */
static void add_v(char *line, size_t *at, const char *fmt, va_list ap)
{
	int n = vsnprintf(line + *at, LOG_LINE_MAX - *at, fmt, ap);

	if (n > 0)
		*at = MIN_OF(*at + (size_t)n, (size_t)LOG_LINE_MAX - 1);
}

static void PRINTF_LIKE(3, 4) add(char *line, size_t *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_v(line, at, fmt, ap);
	va_end(ap);
}

static void add_date(char *line, size_t *at)
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	*at += strftime(line + *at, LOG_LINE_MAX - *at, "%Y/%m/%d %H:%M:%S ", &tm);
}

/* What others sent must not look like another line or speak to the terminal, and no secret stays in a log. */
static size_t clean(char *line)
{
	text_hide_secrets(line);
	return text_make_plain(line, strlen(line));
}

/* Whoever reads stderr may be slow, or stuck at a full disk: packets do not wait for it. Both lines fit into what POLLOUT promises. */
static void put_line(const char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	char both[LOG_LINE_MAX + 128];
	unsigned long long lost;
	size_t n = 0;

	if (poll(&p, 1, 0) == 0) {
		self.lost++;
		return;
	}
	lost = atomic_exchange(&self.lost, 0);
	if (lost)
		n = (size_t)snprintf(both, sizeof(both),
			"log: nobody took the lines before this one lines=%llu\n", lost);
	memcpy(both + n, line, len);
	while (write(STDERR_FILENO, both, n + len) < 0 && errno == EINTR)
		; /* nobody to tell if the log is gone */
}

static void PRINTF_LIKE(5, 0) write_line(enum log_level level, const char *where, const char *what,
	uint64_t dropped, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX + 1];
	size_t at = 0, text;

	look();
	if (self.journal)
		add(line, &at, "<%d>", MIN_OF((int)level, 7));
	if (self.dated)
		add_date(line, &at);
	text = at;
	add(line, &at, "%s: %s", where, what);
	if (fmt) {
		add(line, &at, " ");
		add_v(line, &at, fmt, ap);
	}
	if (dropped)
		add(line, &at, " (%llu more like this were left out)", (unsigned long long)dropped);
	at = text + clean(line + text);
	line[at++] = '\n';
	put_line(line, at);
}

static bool is_wanted(enum log_level level)
{
	return (int)level <= LOG_LEVEL_INFO + self.verbose;
}

void log_write(enum log_level level, const char *where, const char *what, const char *fmt, ...)
{
	va_list ap;

	if (!is_wanted(level))
		return;
	va_start(ap, fmt);
	write_line(level, where, what, 0, fmt, ap);
	va_end(ap);
}

/* A bucket of LOG_LIMIT_BURST lines that fills by one each LOG_LIMIT_SECONDS. */
static bool may_write(struct log_limit *l)
{
	const mono_ns each = SEC(LOG_LIMIT_SECONDS);
	struct timespec ts;
	mono_ns now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = SEC(ts.tv_sec) + ts.tv_nsec;
	if (bucket_spend(&l->full_at, each, LOG_LIMIT_BURST * each, now))
		return true;
	l->dropped++;
	return false;
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *where,
	const char *what, const char *fmt, ...)
{
	va_list ap;

	if (!is_wanted(level) || !may_write(limit))
		return;
	va_start(ap, fmt);
	write_line(level, where, what, limit->dropped, fmt, ap);
	va_end(ap);
	limit->dropped = 0;
}
